import { compile } from "../../../src/compiler/index.js";
import type { Converter } from "../../../src/lib/index.js";
import { ndarray, toFloat64, type NdArray } from "../../../src/lib/formats/index.js";
import {
  convnext, deeplabV3Plus, densenet121, forward, initialise, lidcClassifier, lidcFcn, mobilenetV2, resnet, squeezenet11, unet, vgg11, vgg16, type Network, type StateDict,
} from "../../../src/lib/networks/index.js";
import { createRandom } from "../../../src/lib/random/index.js";
import type { AnyTensor } from "../../../src/index.js";

/** A 2D network as small as it gets, and an image that it takes. */
export interface Source {
  readonly net: Network;
  readonly image: readonly [channels: number, height: number, width: number];
}

/** Every kind of 2D network of the library, thin. */
export const sources: readonly Source[] = [
  { net: resnet({ name: "ResNet", width: 2, blocks: [1, 1, 1], classes: 3 }), image: [3, 16, 16] },
  { net: resnet({ name: "ResNet of bottlenecks", block: "bottleneck", width: 1, blocks: [1, 2], classes: 3 }), image: [3, 15, 17] },
  { net: densenet121({ width: 4, growth: 2, blocks: [2, 1, 1], classes: 3 }), image: [3, 32, 24] },
  { net: vgg11({ thinner: 64, batchNorm: true, classes: 3 }), image: [3, 32, 33] },
  { net: vgg16({ thinner: 64, classes: 3 }), image: [3, 32, 32] },
  { net: squeezenet11({ thinner: 16, classes: 3 }), image: [3, 23, 25] },
  { net: mobilenetV2({ width: 0.1, classes: 3 }), image: [3, 21, 19] },
  { net: unet({ width: 4 }), image: [1, 8, 12] },
  { net: deeplabV3Plus({ block: "basic", blocks: [1, 1, 1, 1], width: 2, middle: 2, rates: [1, 2], classes: 3 }), image: [3, 16, 24] },
  { net: convnext({ depths: [1, 1], dims: [2, 3], classes: 3, layerScale: 0.5 }), image: [3, 16, 8] },
  { net: lidcFcn({ thinner: 16, upsampling: "nearest" }), image: [3, 8, 8] },
  { net: lidcFcn({ backbone: "densenet121", thinner: 32 }), image: [3, 8, 8] },
  { net: lidcFcn({ backbone: "vgg16", thinner: 32 }), image: [3, 8, 8] },
  { net: lidcClassifier({ thinner: 16 }), image: [3, 8, 8] },
];

const random = createRandom(7);

export const noise = (...shape: number[]): NdArray => ndarray(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()), shape);

/** Weights under which every layer matters: running statistics and norms are no ones and zeros. */
export const someWeights = (net: Network): StateDict =>
  Object.fromEntries(Object.entries(initialise(net, 1)).map(([name, array]) => {
    if (array.shape.length > 1) return [name, array];
    const values = noise(...array.shape).data as Float32Array;
    const positive = /running_var$|weight$|gamma$/.test(name);
    return [name, ndarray(values.map((v) => (positive ? 0.8 + 0.2 * Math.abs(v) : 0.1 * v)), array.shape)];
  }));

/** The first output of a network in float64. */
export const run = async (net: Network, state: StateDict, inputs: Readonly<Record<string, NdArray>>): Promise<NdArray> => {
  const all = { ...inputs, ...Object.fromEntries(Object.entries(state).map(([name, array]) => [`param.${name}`, array])) };
  const compiled = await compile(
    (tensors: Readonly<Record<string, AnyTensor>>) => {
      const params = Object.fromEntries(Object.keys(state).map((name) => [name, tensors[`param.${name}`]]));
      return { output: forward(net, params, tensors).outputs[0] };
    },
    Object.fromEntries(Object.entries(all).map(([name, { shape }]) => [name, shape])),
    { device: "reference" },
  );
  const { output } = await compiled.run(Object.fromEntries(Object.entries(all).map(([name, array]) => [name, { data: toFloat64(array), shape: array.shape }])));
  return ndarray(Float64Array.from(output.data), output.shape);
};

/** The image in every one of so many slices. */
export const constantAlongDepth = ({ data, shape }: NdArray, depth: number): NdArray => {
  const [n, c, h, w] = shape;
  return ndarray(Float32Array.from({ length: n * c * depth * h * w }, (_, i) => Number(data[Math.floor(i / (depth * h * w)) * h * w + (i % (h * w))])), [n, c, depth, h, w]);
};

/** The elements of an array. */
export const numbers = (array: NdArray): readonly number[] => Array.from(toFloat64(array));

/** The largest difference of two arrays of one shape. */
export const difference = (a: NdArray, b: NdArray): number => {
  if (a.shape.join() !== b.shape.join()) throw new Error(`shapes [${a.shape.join(", ")}] and [${b.shape.join(", ")}]`);
  const [one, other] = [numbers(a), numbers(b)];
  return Math.max(...one.map((v, i) => Math.abs(v - other[i])));
};

/** Slice `at` of a volume. */
export const sliceAt = ({ data, shape }: NdArray, at: number): NdArray => {
  const [n, c, d, h, w] = shape;
  return ndarray(Float64Array.from({ length: n * c * h * w }, (_, i) => Number(data[Math.floor(i / (h * w)) * d * h * w + at * h * w + (i % (h * w))])), [n, c, h, w]);
};

export type { Converter };
