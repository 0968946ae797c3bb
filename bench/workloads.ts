import { constant, fn, tensor, type AnyTensor, type Kernel2d, type Kernel3d, type Volume } from "indexical";
import { acsConv3d, acsSplit, apply, conv3d, convert, converters, meshNet, parameterShapes, resnet18, type LayersModel, type Voxels } from "indexical/lib";
import { numbers, sizeOf } from "./numbers.js";
import type { OnnxGraph, OnnxNode } from "./onnx.js";

/** One thing that is timed: our program, the same as an ONNX graph for the peers, and what it computes. */
export interface Workload {
  readonly name: string;
  readonly describe: string;
  /** Floating-point operations, 2 a multiply-add, padding excluded as in the literature. */
  readonly flops: number;
  /** Bytes that must move when arithmetic is free; set where that is the bound. */
  readonly bytes?: number;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  /** A network is timed from and to NCDHW arrays, an operator with its operands in place. */
  readonly network: boolean;
  readonly program: () => (inputs: never) => AnyTensor;
  readonly onnx?: () => OnnxGraph;
}

type Dims = readonly number[];
const seeded = (shape: Dims, seed: number, scale = 1): Float32Array => numbers(sizeOf(shape), seed).map((v) => v * scale);
const fixed = <T extends AnyTensor>(shape: Dims, seed: number, scale = 1): T => constant<T>(seeded(shape, seed, scale), shape);

const convFlops = (x: Dims, out: number, taps: readonly (readonly number[])[]): number => {
  // Taps that fall on padding are not counted.
  const [n, c, ...space] = x as [number, number, ...number[]];
  const inside = (size: number, k: number): number => Array.from({ length: k }, (_, t) => size - Math.abs(t - (k - 1) / 2)).reduce((a, b) => a + b, 0);
  return taps.reduce((sum, kernel) => sum + 2 * n! * c! * (out / taps.length) * space.reduce((p, s, a) => p * inside(s, kernel[a]!), 1), 0);
};

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
const acsNodes = (input: string, weightName: string, weight: Float32Array, [o, c, k]: readonly [number, number, number], stride: number, output: string): Pick<OnnxGraph, "nodes" | "weights"> => {
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

const parameter = (name: string, shape: Dims, at: number): Float32Array => {
  if (name.endsWith("running_var") || (name.includes("bn") && name.endsWith("weight"))) return seeded(shape, at + 1).map((v) => 1 + 0.2 * v);
  return seeded(shape, at + 1, shape.length > 1 ? Math.sqrt(6 / sizeOf(shape.slice(1))) : 0.1);
};

const resnetWorkload = (name: "W6-acs" | "W6-dense"): Workload => {
  const rank = name === "W6-acs" ? 2 : 3;
  const { network } = convert(resnet18(), rank === 2 ? converters.acs() : converters.conv3d());
  const shapes = parameterShapes(network);
  const x = [1, 3, 32, 64, 64];
  const values = (): Record<string, Float32Array> => Object.fromEntries(Object.entries(shapes).map(([n, s], at) => [n, parameter(n, s, at)]));
  return {
    name,
    describe: `ResNet-18, ${rank === 2 ? "ACS" : "dense 3D"}, ${x.join(" x ")}`,
    flops: name === "W6-acs" ? 1.38e9 : 5.37e9,
    inputs: { x },
    network: true,
    program: () => {
      const params = Object.fromEntries(Object.entries(values()).map(([n, data]) => [n, constant<AnyTensor>(data, shapes[n])]));
      return (({ x }: { x: Volume }) => apply(network, params, x)) as never;
    },
    onnx: () => resnetGraph(shapes, values(), x, rank),
  };
};

const resnetGraph = (shapes: Readonly<Record<string, Dims>>, values: Readonly<Record<string, Float32Array>>, x: Dims, rank: 2 | 3): OnnxGraph => {
  const nodes: OnnxNode[] = [];
  const weights: OnnxGraph["weights"][number][] = [];
  const conv = (from: string, name: string, stride: number, to: string): void => {
    const [o, c, k] = shapes[`${name}.weight`] as unknown as [number, number, number];
    if (rank === 2) {
      const part = acsNodes(from, `${name}.weight`, values[`${name}.weight`]!, [o, c, k], stride, to);
      nodes.push(...part.nodes);
      weights.push(...part.weights);
      return;
    }
    const p = (k - 1) / 2;
    weights.push({ name: `${name}.weight`, shape: shapes[`${name}.weight`]!, data: values[`${name}.weight`]! });
    nodes.push({ op: "Conv", inputs: [from, `${name}.weight`], output: to, ints: { pads: [p, p, p, p, p, p], strides: [stride, stride, stride] } });
  };
  const norm = (from: string, name: string, to: string): void => {
    const parts = ["weight", "bias", "running_mean", "running_var"].map((p) => `${name}.${p}`);
    for (const p of parts) weights.push({ name: p, shape: shapes[p]!, data: values[p]! });
    nodes.push({ op: "BatchNormalization", inputs: [from, ...parts], output: to });
  };
  const relu = (from: string, to: string): void => void nodes.push({ op: "Relu", inputs: [from], output: to });
  conv("x", "conv1", 2, "c1");
  norm("c1", "bn1", "n1");
  relu("n1", "r1");
  nodes.push({ op: "MaxPool", inputs: ["r1"], output: "p1", ints: { kernel_shape: [3, 3, 3], strides: [2, 2, 2], pads: [1, 1, 1, 1, 1, 1] } });
  let at = "p1";
  for (let layer = 1; layer <= 4; layer++)
    for (let k = 0; k < 2; k++) {
      const b = `layer${layer}.${k}`;
      const stride = layer > 1 && k === 0 ? 2 : 1;
      conv(at, `${b}.conv1`, stride, `${b}.a`);
      norm(`${b}.a`, `${b}.bn1`, `${b}.b`);
      relu(`${b}.b`, `${b}.c`);
      conv(`${b}.c`, `${b}.conv2`, 1, `${b}.d`);
      norm(`${b}.d`, `${b}.bn2`, `${b}.e`);
      let shortcut = at;
      if (`${b}.downsample.0.weight` in shapes) {
        conv(at, `${b}.downsample.0`, stride, `${b}.f`);
        norm(`${b}.f`, `${b}.downsample.1`, `${b}.g`);
        shortcut = `${b}.g`;
      }
      nodes.push({ op: "Add", inputs: [`${b}.e`, shortcut], output: `${b}.h` });
      relu(`${b}.h`, b);
      at = b;
    }
  nodes.push({ op: "GlobalAveragePool", inputs: [at], output: "gap" }, { op: "Flatten", inputs: ["gap"], output: "flat" });
  for (const p of ["fc.weight", "fc.bias"]) weights.push({ name: p, shape: shapes[p]!, data: values[p]! });
  nodes.push({ op: "Gemm", inputs: ["flat", "fc.weight", "fc.bias"], output: "y", int: { transB: 1 } });
  return { inputs: [{ name: "x", shape: x }], nodes, weights, output: { name: "y", shape: [1, 1000] } };
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

/** MeshNet on a volume of `size` cubed, with the shipped weights. */
export const meshnetWorkload = (model: LayersModel, size = 256): Workload => {
  const convs = model.layers.filter((l) => l.kind === "conv3d");
  const voxels = size ** 3;
  return {
    name: "meshnet",
    describe: `MeshNet, ${convs.length} layers, ${size}^3`,
    flops: convs.reduce((sum, l) => sum + 2 * voxels * sizeOf(l.kernel.shape), 0),
    inputs: { x: [size, size, size] },
    network: true,
    program: () => (({ x }: { x: Voxels }) => meshNet(x, model)) as never,
    onnx: () => meshnetGraph(model, size),
  };
};

const meshnetGraph = (model: LayersModel, size: number): OnnxGraph => {
  const nodes: OnnxNode[] = [{ op: "Reshape", inputs: ["x", "shape"], output: "l" }];
  const weights: OnnxGraph["weights"][number][] = [{ name: "shape", ints: [1, 1, size, size, size] }];
  let at = "l";
  model.layers.forEach((layer, k) => {
    const to = `l${k}`;
    if (layer.kind === "conv3d") {
      const [kd, kh, kw, c, o] = layer.kernel.shape as [number, number, number, number, number];
      const from = layer.kernel.data as Float32Array;
      const data = new Float32Array(from.length);
      for (let t = 0; t < kd * kh * kw; t++) for (let i = 0; i < c; i++) for (let j = 0; j < o; j++) data[(j * c + i) * kd * kh * kw + t] = from[(t * c + i) * o + j]!;
      weights.push({ name: `w${k}`, shape: [o, c, kd, kh, kw], data });
      if (layer.bias) weights.push({ name: `b${k}`, shape: [o], data: Float32Array.from(layer.bias.data as Float32Array) });
      const pads = [kd, kh, kw].map((n, a) => ((n - 1) / 2) * layer.dilation[a]!);
      nodes.push({ op: "Conv", inputs: [at, `w${k}`, ...(layer.bias ? [`b${k}`] : [])], output: to, ints: { pads: [...pads, ...pads], dilations: layer.dilation } });
    } else if (layer.kind === "activation" && layer.activation === "relu") nodes.push({ op: "Relu", inputs: [at], output: to });
    else throw new Error(`the benchmark's ONNX graph has no layer ${layer.kind}`);
    at = to;
  });
  nodes.push({ op: "ArgMax", inputs: [at], output: "a", int: { axis: 1, keepdims: 0 } }, { op: "Cast", inputs: ["a"], output: "y", int: { to: 1 } });
  return { inputs: [{ name: "x", shape: [size, size, size] }], nodes, weights, output: { name: "y", shape: [1, size, size, size] } };
};

/** Variants that nobody named, at the shape of W1 and W2: what a guard leaves of a 3 x 3 x 3 kernel. */
const variant = (name: string, describe: string, taps: number, keep: (o: number, i: number, j: number, k: number) => boolean): Workload => {
  const x = [1, 64, 32, 32, 32];
  const w = [64, 64, 3, 3, 3];
  let terms = 0;
  const inside = (t: number): number => 32 - Math.abs(t - 1);
  for (let o = 0; o < 64; o++)
    for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) for (let k = 0; k < 3; k++) if (keep(o, i, j, k)) terms += 64 * inside(i) * inside(j) * inside(k);
  return {
    name,
    describe: `${describe}, ${taps} of 27 taps, 64 to 64 channels, 32^3`,
    flops: 2 * terms,
    inputs: { x },
    network: false,
    program: () => (({ x }: { x: Volume }) => conv3d(x, guards[name]!(fixed<Kernel3d>(w, 2)), { padding: 1 })) as never,
  };
};

const guards: Readonly<Record<string, (w: Kernel3d) => Kernel3d>> = {
  cross: (w) => tensor((o, c, i, j, k) => (Math.abs(i - 1) + Math.abs(j - 1) + Math.abs(k - 1) <= 1 ? w(o, c, i, j, k) : 0)),
  checkerboard: (w) => tensor((o, c, i, j, k) => ((i + j + k) % 2 === 0 ? w(o, c, i, j, k) : 0)),
  blocks: (w) => tensor((o, c, i, j, k) => ((Math.floor(o / 16) + i + 2 * j + k) % 3 === 0 ? w(o, c, i, j, k) : 0)),
};

export const operators: readonly Workload[] = [
  denseConv("W1", 64, 64, 32, 3),
  acsConv("W2", 64, 64, 32),
  denseConv("W3", 16, 32, 48, 3),
  acsConv("W4", 16, 32, 48),
  denseConv("W5", 256, 64, 16, 1),
  elementwise,
  variant("cross", "cross-shaped kernel", 7, (_o, i, j, k) => Math.abs(i - 1) + Math.abs(j - 1) + Math.abs(k - 1) <= 1),
  variant("checkerboard", "checkerboard kernel", 14, (_o, i, j, k) => (i + j + k) % 2 === 0),
  variant("blocks", "a pattern for each block of 16 out-channels", 9, (o, i, j, k) => (Math.floor(o / 16) + i + 2 * j + k) % 3 === 0),
];

export const networks: readonly Workload[] = [resnetWorkload("W6-acs"), resnetWorkload("W6-dense")];
