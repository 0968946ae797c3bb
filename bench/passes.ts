import { performance } from "node:perf_hooks";
import { runPasses } from "../src/compiler/passes.js";
import { structureOf } from "../src/compiler/structure.js";
import { trace, type ProgramOutput, type Shapes } from "../src/compiler/trace.js";
import { constant, pad, sum, tensor, type Kernel2d, type Kernel3d, type Tensor, type Volume } from "../src/dsl/index.js";
import { acsConv3d, alignShiftConv3d, conv3d, convTranspose3d } from "../src/lib/conv/index.js";
import { relu } from "../src/lib/layers/index.js";

/** How long the passes take: one layer after warm-up, a chain of layers, and programs made to explode. */
const time = (name: string, f: (inputs: never) => ProgramOutput, shapes: Shapes, repeats = 5): void => {
  const all = Array.from({ length: repeats }, () => {
    const traced = trace(f, shapes);
    const start = performance.now();
    const program = runPasses(traced);
    return { ms: performance.now() - start, program };
  });
  const { program } = all[0]!;
  const pieces = structureOf(program).reduce((n, s) => n + s.pieces.length, 0);
  const ms = all.map((a) => a.ms);
  console.log(`${name.padEnd(36)} first ${ms[0]!.toFixed(1).padStart(7)} ms   best ${Math.min(...ms).toFixed(1).padStart(7)} ms   ${program.stages.length} stages, ${pieces} pieces`);
};

const x = [1, 16, 32, 32, 32];
const w3 = [16, 16, 3, 3, 3];

/** Convolution, scale and shift, rectification, again and again, with a skip over every second. */
const chain = (layers: number, layer: (v: Volume, w: Kernel3d) => Volume) => ({ x, w }: { x: Volume; w: Kernel3d }): Volume => {
  let v = x;
  for (let k = 0; k < layers; k += 2) {
    const before = v;
    const once = relu(layer(v, w));
    const twice = layer(once, w);
    v = relu(tensor((n, c, d, h, u) => twice(n, c, d, h, u) + before(n, c, d, h, u)));
  }
  return v;
};

const scale = constant(Float64Array.from({ length: 16 }, (_, k) => 1 + k / 16), [16]);
const normed = (v: Volume, w: Kernel3d): Volume => {
  const y = conv3d(v, w, { padding: 1 });
  return tensor((n, c, d, h, u) => scale(c) * y(n, c, d, h, u) + scale(c));
};

/** A guard at every channel and every border: as many pieces as there are channels, and more. */
const explosive = ({ x, w }: { x: Volume; w: Kernel3d }): Volume => {
  const xp = pad(x, [0, 0, 1, 1, 1]);
  return tensor((n, o, d, h, u) =>
    sum((c, i, j, k) => ((o * 7 + c * 5 + i + d) % 11 < 5 || (d + h * 2 + u) % 7 === 3 ? xp(n, c, d + i, h + j, u + k) * w(o, c, i, j, k) : 0)),
  );
};

for (let k = 0; k < 2; k++) {
  console.log(k === 0 ? "cold" : "warm");
  time("conv3d", ({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w, { padding: 1 }), { x, w: w3 });
  time("conv3d, strided, dilated, grouped", ({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w, { padding: 2, stride: 2, dilation: 2, groups: 4 }), { x, w: [16, 4, 3, 3, 3] });
  time("acs", ({ x, w }: { x: Volume; w: Kernel2d }) => acsConv3d(x, w, { padding: 1 }), { x, w: [16, 16, 3, 3] });
  time("alignShift", ({ x, w, t }: { x: Volume; w: Kernel2d; t: Tensor<[number]> }) => alignShiftConv3d(x, w, t, { padding: 1 }), { x, w: [16, 16, 3, 3], t: [1] });
  time("transposed, stride 2", ({ x, w }: { x: Volume; w: Kernel3d }) => convTranspose3d(x, w, { padding: 1, stride: 2, outputPadding: 1 }), { x, w: w3 });
  time("chain of 60 conv3d", chain(60, normed), { x, w: w3 }, 2);
  time("chain of 60 acs", chain(60, (v, w) => acsConv3d(v, tensor((o, c, j, k) => w(o, c, 0, j, k)), { padding: 1 })), { x, w: w3 }, 2);
  time("explosive", explosive, { x: [1, 5, 9, 9, 9], w: [7, 5, 3, 3, 3] }, 1);
}
