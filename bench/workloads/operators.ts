import { fn, tensor, type Kernel2d, type Kernel3d, type Volume } from "indexical";
import { acsConv3d, acsSplit, conv3d } from "indexical/lib";
import { sizeOf } from "../numbers.js";
import type { OnnxGraph, OnnxNode } from "../onnx.js";
import { convFlops, fixed, seeded, type Dims, type Workload } from "./workload.js";

const denseConv = (name: string, c: number, o: number, size: number, k: number): Workload => {
  const x = [1, c, size, size, size];
  const w = [o, c, k, k, k];
  return {
    name,
    describe: `conv ${k}x${k}x${k}, ${c} to ${o} channels, ${size}^3`,
    flops: convFlops(x, o, [[k, k, k]]),
    inputs: { x },
    network: false,
    program: () => (({ x }: { x: Volume }) => conv3d(x, fixed<Kernel3d>(w, 2), { padding: (k - 1) / 2 })) as never,
    onnx: () => ({
      inputs: [{ name: "x", shape: x }],
      nodes: [{ op: "Conv", inputs: ["x", "w"], output: "y", ints: { pads: Array.from({ length: 6 }, () => (k - 1) / 2) } }],
      weights: [{ name: "w", shape: w, data: seeded(w, 2) }],
      output: { name: "y", shape: [1, o, size, size, size] },
    }),
  };
};

/** What a framework without structure recovery runs for an ACS layer: three flat convolutions and a concat. */
export const acsNodes = (input: string, weightName: string, weight: Float32Array, [o, c, k]: readonly [number, number, number], stride: number, output: string): Pick<OnnxGraph, "nodes" | "weights"> => {
  const nodes: OnnxNode[] = [];
  const weights: OnnxGraph["weights"][number][] = [];
  let row = 0;
  const p = (k - 1) / 2;
  acsSplit(o).forEach((count, view) => {
    const shape = [count, c, k, k].toSpliced(2 + view, 0, 1);
    const pads = [p, p, p].map((q, a) => (a === view ? 0 : q));
    weights.push({ name: `${weightName}.${view}`, shape, data: weight.slice(row * c * k * k, (row + count) * c * k * k) });
    nodes.push({ op: "Conv", inputs: [input, `${weightName}.${view}`], output: `${output}.${view}`, ints: { pads: [...pads, ...pads], strides: [stride, stride, stride] } });
    row += count;
  });
  nodes.push({ op: "Concat", inputs: [0, 1, 2].map((v) => `${output}.${v}`), output, int: { axis: 1 } });
  return { nodes, weights };
};

const acsConv = (name: string, c: number, o: number, size: number): Workload => {
  const x = [1, c, size, size, size];
  const w = [o, c, 3, 3];
  return {
    name,
    describe: `ACS conv 3, ${c} to ${o} channels, ${size}^3`,
    flops: convFlops(x, o, [[1, 3, 3], [3, 1, 3], [3, 3, 1]]),
    inputs: { x },
    network: false,
    program: () => (({ x }: { x: Volume }) => acsConv3d(x, fixed<Kernel2d>(w, 2), { padding: 1 })) as never,
    onnx: () => ({ inputs: [{ name: "x", shape: x }], ...acsNodes("x", "w", seeded(w, 2), [o, c, 3], 1, "y"), output: { name: "y", shape: [1, o, size, size, size] } }),
  };
};

const elementwise: Workload = (() => {
  const x = [1, 64, 64, 64, 64];
  return {
    name: "W7",
    describe: "relu(a * x + b), 64 channels, 64^3",
    flops: 3 * sizeOf(x),
    bytes: 8 * sizeOf(x),
    inputs: { x },
    network: false,
    program: () =>
      (({ x }: { x: Volume }) => {
        const f = fn((v: number) => Math.max(1.5 * v + 0.25, 0));
        return tensor((n, c, d, h, v) => f(x(n, c, d, h, v)));
      }) as never,
    onnx: () => ({
      inputs: [{ name: "x", shape: x }],
      nodes: [
        { op: "Mul", inputs: ["x", "a"], output: "m" },
        { op: "Add", inputs: ["m", "b"], output: "s" },
        { op: "Relu", inputs: ["s"], output: "y" },
      ],
      weights: [
        { name: "a", shape: [1], data: Float32Array.of(1.5) },
        { name: "b", shape: [1], data: Float32Array.of(0.25) },
      ],
      output: { name: "y", shape: x },
    }),
  };
})();

/** Five definitions after each other, which should cost one pass over memory. */
const chain: Workload = (() => {
  const x = [1, 64, 64, 64, 64];
  return {
    name: "chain",
    describe: "five elementwise operations, 64 channels, 64^3",
    flops: 5 * sizeOf(x),
    bytes: 8 * sizeOf(x),
    inputs: { x },
    network: false,
    program: () =>
      (({ x }: { x: Volume }) => {
        const scaled = tensor((n, c, d, h, v) => 1.5 * x(n, c, d, h, v));
        const shifted = tensor((n, c, d, h, v) => scaled(n, c, d, h, v) + 0.25);
        const cut = tensor((n, c, d, h, v) => Math.max(shifted(n, c, d, h, v), 0));
        const halved = tensor((n, c, d, h, v) => 0.5 * cut(n, c, d, h, v));
        return tensor((n, c, d, h, v) => halved(n, c, d, h, v) - 1);
      }) as never,
    beside: { as: "W7", name: "W7", scale: 1 },
    onnx: () => ({
      inputs: [{ name: "x", shape: x }],
      nodes: [
        { op: "Mul", inputs: ["x", "a"], output: "t1" },
        { op: "Add", inputs: ["t1", "b"], output: "t2" },
        { op: "Relu", inputs: ["t2"], output: "t3" },
        { op: "Mul", inputs: ["t3", "c"], output: "t4" },
        { op: "Add", inputs: ["t4", "e"], output: "y" },
      ],
      weights: Object.entries({ a: 1.5, b: 0.25, c: 0.5, e: -1 }).map(([name, v]) => ({ name, shape: [1], data: Float32Array.of(v) })),
      output: { name: "y", shape: x },
    }),
  };
})();

/** One convolution on growing volumes: the time of a voxel should stay what it is. */
const volumes: readonly Workload[] = [32, 64, 128, 256].map((size) => {
  const x: Dims = [1, 5, size, size, size];
  return {
    name: `volume-${size}`,
    describe: `conv 3x3x3, 5 to 5 channels, ${size}^3`,
    flops: convFlops(x, 5, [[3, 3, 3]]),
    inputs: { x },
    network: false,
    program: () => (({ x }: { x: Volume }) => conv3d(x, fixed<Kernel3d>([5, 5, 3, 3, 3], 2), { padding: 1 })) as never,
    ...(size === 32 ? {} : { beside: { as: "32^3, each voxel", name: "volume-32", scale: (size / 32) ** 3 } }),
  };
});

export const operators: readonly Workload[] = [
  denseConv("W1", 64, 64, 32, 3),
  acsConv("W2", 64, 64, 32),
  denseConv("W3", 16, 32, 48, 3),
  acsConv("W4", 16, 32, 48),
  denseConv("W5", 256, 64, 16, 1),
  elementwise,
  chain,
  ...volumes,
];
