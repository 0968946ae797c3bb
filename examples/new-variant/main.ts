// Three kernel shapes that no library has, each a guard on the taps. The compiler finds what is zero, and nobody tells it where to look.
import { compile, cost, equivalent, explain, fn, pad, sum, tensor, type Kernel3d, type Volume } from "indexical";
import { conv3d } from "indexical/lib";

/** The kernel with the taps kept for which `keep` holds. */
const masked = (keep: (i: number, j: number, k: number) => boolean) => (w: Kernel3d): Kernel3d =>
  tensor(w.shape, (o, c, i, j, k) => (keep(i, j, k) ? w(o, c, i, j, k) : 0));

const kernels = {
  cross: masked(fn((i, j, k) => Math.abs(i - 1) + Math.abs(j - 1) + Math.abs(k - 1) <= 1)),
  checkerboard: masked(fn((i, j, k) => (i + j + k) % 2 === 0)),
  diagonal: masked(fn((i, j, k) => i === j && j === k)),
};

const shapes = { x: [1, 16, 32, 32, 32], w: [16, 16, 3, 3, 3] };
const x = Float32Array.from({ length: 16 * 32 ** 3 }, (_, n) => (n % 7) - 3);
const w = Float32Array.from({ length: 16 * 16 * 27 }, (_, n) => (n % 5) - 2);

console.log("kernel        taps  guards  multiply-adds  of dense  best of 8, ms");
for (const [name, kernel] of Object.entries({ dense: (w: Kernel3d) => w, ...kernels })) {
  const layer = ({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, kernel(w), { padding: 1 });
  const { pieces } = explain(layer, shapes, { device: "reference" });
  const { multiplyAdds, definition } = cost(layer, shapes);
  const program = await compile(layer, shapes);
  let best = Infinity;
  for (let round = 0; round < 8; round++) {
    const start = performance.now();
    await program.run({ x, w });
    best = Math.min(best, performance.now() - start);
  }
  program.dispose();
  const taps = pieces.map((p) => p.taps).join("+");
  const guards = pieces.reduce((n, p) => n + p.guards, 0);
  console.log(`${name.padEnd(12)}  ${taps.padEnd(4)}  ${String(guards).padEnd(6)}  ${String(multiplyAdds).padEnd(13)}  ${(multiplyAdds / definition.multiplyAdds).toFixed(3).padEnd(8)}  ${best.toFixed(1)}`);
}

// Is the cross what it says? The same, neighbour by neighbour:
const cross = ({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, kernels.cross(w), { padding: 1 });
const neighbours = ({ x, w }: { x: Volume; w: Kernel3d }) => {
  const p = pad(x, [0, 0, 1, 1, 1]);
  return tensor([x.shape[0], w.shape[0], ...x.shape.slice(2)], (n, o, d, h, v) =>
    sum((c) =>
      p(n, c, d + 1, h + 1, v + 1) * w(o, c, 1, 1, 1) +
      p(n, c, d, h + 1, v + 1) * w(o, c, 0, 1, 1) + p(n, c, d + 2, h + 1, v + 1) * w(o, c, 2, 1, 1) +
      p(n, c, d + 1, h, v + 1) * w(o, c, 1, 0, 1) + p(n, c, d + 1, h + 2, v + 1) * w(o, c, 1, 2, 1) +
      p(n, c, d + 1, h + 1, v) * w(o, c, 1, 1, 0) + p(n, c, d + 1, h + 1, v + 2) * w(o, c, 1, 1, 2)));
};
console.log(`\ncross against its seven neighbours: ${equivalent(cross, neighbours, { x: [1, 2, 5, 5, 5], w: [3, 2, 3, 3, 3] }).message}`);
