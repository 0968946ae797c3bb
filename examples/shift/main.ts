// TSM and AlignShift mix slices and convolve each: a shifted volume would cost as much memory as the activations. There is none.
import { compile, cost, explain, type Kernel2d, type Vector, type Volume } from "indexical";
import { alignShiftConv3d, conv25d, tsmConv3d } from "indexical/lib";

type Inputs = { x: Volume; w: Kernel2d; thickness: Vector };
const flat = ({ x, w }: Inputs) => conv25d(x, w, { padding: 1 });
const tsm = ({ x, w }: Inputs) => tsmConv3d(x, w, { padding: 1 });
const alignShift = ({ x, w, thickness }: Inputs) => alignShiftConv3d(x, w, thickness, { padding: 1 });

const shapes = { x: [1, 16, 12, 32, 32], w: [16, 16, 3, 3], thickness: [1] };

console.log("layer       kernels  multiply-adds  other operations  peak bytes");
for (const [name, layer] of Object.entries({ "2.5D": flat, TSM: tsm, AlignShift: alignShift })) {
  const { multiplyAdds, flops, peakBytes, stages } = cost(layer, shapes);
  console.log(`${name.padEnd(10)}  ${String(stages.length).padEnd(7)}  ${String(multiplyAdds).padEnd(13)}  ${String(flops - 2 * multiplyAdds).padEnd(16)}  ${peakBytes}`);
}
console.log(`\nTSM becomes:\n\n${explain(tsm, shapes, { device: "reference" }).specialised}`);

// Thick slices are hardly shifted: 1 mm slices move whole, as in TSM, 8 mm ones by a quarter of their neighbour.
const program = await compile(alignShift, shapes);
const x = Float32Array.from({ length: 16 * 12 * 1024 }, (_, n) => Math.floor(n / 1024) % 12); // each slice holds its own number
const w = new Float32Array(16 * 16 * 9);
w[4] = 1; // the centre of channel 0, which is mixed with the next slice
for (const mm of [1, 4, 8]) {
  const { data } = await program.run({ x, w, thickness: [mm] });
  console.log(`${mm} mm: slice 5 of a shifted channel gives ${data[5 * 1024 + 16 * 32 + 16]}`);
}
program.dispose();
