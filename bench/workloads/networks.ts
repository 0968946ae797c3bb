import { constant, type AnyTensor, type Volume } from "indexical";
import { apply, convert, converters, meshNet, parameterShapes, resnet18, type LayersModel, type Voxels } from "indexical/lib";
import { sizeOf } from "../numbers.js";
import type { OnnxGraph, OnnxNode } from "../onnx.js";
import { acsNodes } from "./operators.js";
import { seeded, type Dims, type Workload } from "./workload.js";

/** Values of a parameter that keep activations of ordinary size. */
export const parameter = (name: string, shape: Dims, at: number): Float32Array => {
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

export const networks: readonly Workload[] = [resnetWorkload("W6-acs"), resnetWorkload("W6-dense")];
