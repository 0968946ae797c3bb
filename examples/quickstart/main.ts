import { compile, explain, pad, sum, tensor, type Kernel3d, type Volume } from "indexical";

// A 3D convolution that sees the six neighbours of a voxel and no corners: 7 taps of 27. This is all of it.
const cross = ({ x, w }: { x: Volume; w: Kernel3d }) => {
  const p = pad(x, [0, 0, 1, 1, 1]);
  return tensor((n, o, d, h, v) => sum((c, i, j, k) =>
    Math.abs(i - 1) + Math.abs(j - 1) + Math.abs(k - 1) <= 1 ? p(n, c, d + i, h + j, v + k) * w(o, c, i, j, k) : 0));
};

const shapes = { x: [1, 8, 32, 32, 32], w: [16, 8, 3, 3, 3] };
const program = await compile(cross, shapes);
const { data, shape } = await program.run({ x: new Float32Array(8 * 32 ** 3).fill(1), w: new Float32Array(16 * 8 * 27).fill(1) });
console.log(`${program.device} gives [${shape}]: ${data[0]} in a corner, ${data[16912]} inside`);
const { specialised, cost } = explain(cross, shapes);
console.log(`${cost.multiplyAdds} multiply-adds instead of ${cost.definition.multiplyAdds}, by\n\n${specialised}`);
