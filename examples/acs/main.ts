// An ACS convolution, written as what it is: a dense convolution whose kernel is block-sparse. What does the compiler make of it?
import { compile, cost, equivalent, explain, tensor, type Kernel2d, type Kernel3d, type Volume } from "indexical";
import { acsConv3d, conv3d } from "indexical/lib";

/** Two out-channels lie on the axial plane of the 3D kernel, two on the coronal, two on the sagittal one; all else is zero. */
const blockSparse = (w: Kernel2d): Kernel3d =>
  tensor([...w.shape, 3], (o, c, i, j, k) =>
    o < 2 ? (i === 1 ? w(o, c, j, k) : 0) : o < 4 ? (j === 1 ? w(o, c, i, k) : 0) : k === 1 ? w(o, c, i, j) : 0);

const acs = ({ x, w }: { x: Volume; w: Kernel2d }) => conv3d(x, blockSparse(w), { padding: 1 });
const shapes = { x: [1, 8, 32, 32, 32], w: [6, 8, 3, 3] };

const { specialised, pieces } = explain(acs, shapes);
console.log(`What it becomes:\n\n${specialised}`);
for (const { domain, taps, guards } of pieces) console.log(`out-channels ${domain[1].start} to ${domain[1].start + domain[1].extent - 1}: ${taps} taps, ${guards} guards`);

const dense = ({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w, { padding: 1 });
const denseShapes = { ...shapes, w: [6, 8, 3, 3, 3] };
const [ours, theirs] = [cost(acs, shapes).multiplyAdds, cost(dense, denseShapes).multiplyAdds];
console.log(`\n${ours} multiply-adds; the dense layer has ${theirs}, ${theirs / ours} times as many`);

const library = ({ x, w }: { x: Volume; w: Kernel2d }) => acsConv3d(x, w, { padding: 1 });
console.log(`The library's acsConv3d: ${equivalent(acs, library, shapes).message}`);

const program = await compile(acs, shapes);
const { shape, data } = await program.run({ x: new Float32Array(8 * 32 ** 3).fill(1), w: new Float32Array(6 * 8 * 9).fill(1) });
console.log(`${program.device} gives [${shape.join(", ")}], ${data[16 * 1024 + 16 * 32 + 16]} inside and ${data[0]} in a corner`);
program.dispose();
