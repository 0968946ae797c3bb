import { elementCount, ndarray, toFloat32, type NdArray } from "../../formats/ndarray.js";
import { acsSplit } from "../../conv/index.js";
import { flatWindow } from "../../converters/transposed.js";
import { inPlaneTaps, isotropicTaps } from "../../converters/taps.js";
import type { ConvLayer, ConvTransposeLayer, Taps, VariantLayer } from "../../networks/layer.js";
import { refuse } from "../call.js";
import { parameter, tapsAttributes, weightOf, type Place } from "./place.js";

/** How a variant is said in standard operators: gives the name of the value. */
export type VariantLowering = (place: Place, layer: VariantLayer) => string;

const biasOf = (place: Place, of: VariantLayer["of"]): string[] => (of.bias ? [weightOf(place, "bias")] : []);

/** A convolution, or transposed convolution, with the kernel that is given. */
const convolution = (place: Place, of: ConvLayer | ConvTransposeLayer, x: string, weight: string, taps: Taps): string =>
  of.kind === "conv"
    ? place.build.op("Conv", [x, weight, ...biasOf(place, of)], { ...tapsAttributes(taps), group: of.groups }, place.node.name)
    : place.build.op("ConvTranspose", [x, weight, ...biasOf(place, of)], { ...tapsAttributes(taps), group: of.groups, output_padding: isotropicOutputPadding(of, taps) }, place.node.name);

/** The depth of what is not strided along it gets none. */
const isotropicOutputPadding = ({ outputPadding: [a, b] }: ConvTransposeLayer, { stride }: Taps): readonly number[] => [stride[0] === 1 ? 0 : Math.min(a, b), a, b];

/** The 2D kernel [O, C, K, K] times `share(o, c)`. */
const scaled = (w: NdArray, share: (o: number, c: number) => number): Float32Array => {
  const [, into, ...taps] = w.shape;
  const size = elementCount(taps);
  return toFloat32(w).map((value, n) => value * share(Math.floor(n / (into * size)), Math.floor(n / size) % into));
};

const withoutBias = (of: ConvLayer): ConvLayer => ({ ...of, bias: false });

/** A 2D kernel as one that is flat on `axis` and nowhere padded with zeros: [O, C, 1, K, K] and so on. */
const flatShape = (shape: readonly number[], axis: number): readonly number[] => [...shape.slice(0, 2 + axis), 1, ...shape.slice(2 + axis)];

/**
 * One view of a convolution: flat on `axis`, where it reads slice `at` of each window of the padded input. Where that lies outside of what pads
 * can say, the input is cropped first.
 */
const viewOf = (place: Place, of: ConvLayer, axis: 0 | 1 | 2, at: number, weight: string, bias: readonly string[]): string => {
  const taps = isotropicTaps(of);
  const [extent, output, stride] = [place.shapes[0][2 + axis], place.shape[2 + axis], taps.stride[axis]];
  const low = taps.padding[axis] - at;
  const high = (output - 1) * stride + 1 - extent - low;
  const pads = [[...taps.padding], [...taps.padding]];
  [pads[0][axis], pads[1][axis]] = [Math.max(low, 0), Math.max(high, 0)];
  let [x] = place.from;
  if (low < 0 || high < 0) {
    const cut = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    [cut[2 + axis], cut[7 + axis]] = [Math.min(low, 0), Math.min(high, 0)];
    x = place.build.op("Pad", [x, place.build.ints(`${place.node.name}.cut`, cut)], {}, `${place.node.name}.cut`);
  }
  const kernel = taps.kernel.map((k, a) => (a === axis ? 1 : k));
  return place.build.op("Conv", [x, weight, ...bias], { kernel_shape: kernel, strides: taps.stride, pads: [...pads[0], ...pads[1]], dilations: taps.dilation, group: of.groups }, `${place.node.name}.view`);
};

/** Where a view reads its flat axis, as an offset into the padded input: tap floor(K / 2); even kernels as the published code has it (see FlatSlice). */
const sliceOf = (place: Place, of: ConvLayer, axis: number): number => {
  const { kernel, stride, padding, dilation } = isotropicTaps(of);
  const half = Math.floor(kernel[axis] / 2);
  if (kernel[0] % 2 === 1) return dilation[axis] * half;
  const [extent, output] = [place.shapes[0][2 + axis], place.shape[2 + axis]];
  const unpadded = (output === extent || 2 * output === extent) && Math.floor((extent - 1) / stride[axis]) + 1 === output;
  return unpadded ? padding[axis] : half;
};

const axes = [0, 1, 2] as const;

/** The sum of the three views, each out-channel of each times its share; views without a share are left out of the kernel only by their zeros. */
const mixedViews = (place: Place, of: VariantLayer["of"], share: (o: number, axis: number) => number): string => {
  const w = parameter(place, "weight");
  const name = `${place.node.parameters}.weight`;
  if (of.kind === "convTranspose") return convolution(place, of, place.from[0], place.build.floats(`${name}.3d`, ...transposedViews(of, w, share)), isotropicTaps(of));
  const views = axes.map((axis) => viewOf(place, of, axis, sliceOf(place, of, axis), place.build.floats(`${name}.${axis}`, scaled(w, (o) => share(o, axis)), flatShape(w.shape, axis)), axis === 0 ? biasOf(place, of) : biasOf(place, withoutBias(of))));
  return place.build.op("Sum", views, {}, place.node.name);
};

/** The dense kernel of transposed views, [C, O / groups, K, K, K]: each is spread over as many taps of its flat axis as the stride has. */
const transposedViews = (of: ConvTransposeLayer, w: NdArray, share: (o: number, axis: number) => number): [Float32Array, readonly number[]] => {
  const [into, perGroup, size] = w.shape;
  const [first, end] = flatWindow(size, of.stride[0]);
  const source = toFloat32(w);
  const shape = [into, perGroup, size, size, size];
  const inPerGroup = of.in / of.groups;
  const data = Float32Array.from({ length: elementCount(shape) }, (_, n) => {
    const tap = [Math.floor(n / size ** 2) % size, Math.floor(n / size) % size, n % size];
    const [c, o] = [Math.floor(n / (perGroup * size ** 3)), Math.floor(n / size ** 3) % perGroup];
    const channel = of.groups === 1 ? o : Math.floor(c / inPerGroup) * perGroup + o;
    return axes.reduce<number>((sum, axis) => {
      const [row, column] = tap.filter((_t, a) => a !== axis);
      return tap[axis] >= first && tap[axis] < end ? sum + share(channel, axis) * source[((c * perGroup + o) * size + row) * size + column] : sum;
    }, 0);
  });
  return [data, shape];
};

/** A third of the out-channels from each view: three convolutions, one after the other along the channels. */
const acs: VariantLowering = (place, { of }) => {
  const split = acsSplit(of.out);
  const starts = [0, split[0], split[0] + split[1]];
  if (of.kind === "convTranspose" || of.groups !== 1) return mixedViews(place, of, (o, axis) => (o >= starts[axis] && o < starts[axis] + split[axis] ? 1 : 0));
  const w = parameter(place, "weight");
  const name = place.node.parameters;
  const size = elementCount(w.shape.slice(1));
  const views = axes.filter((axis) => split[axis] > 0).map((axis) => {
    const end = starts[axis] + split[axis];
    const weight = place.build.floats(`${name}.weight.${axis}`, toFloat32(w).subarray(starts[axis] * size, end * size), flatShape([split[axis], ...w.shape.slice(1)], axis));
    const bias = of.bias ? [place.build.floats(`${name}.bias.${axis}`, toFloat32(parameter(place, "bias")).subarray(starts[axis], end))] : [];
    return viewOf(place, of, axis, sliceOf(place, of, axis), weight, bias);
  });
  return place.build.op("Concat", views, { axis: 1 }, place.node.name);
};

const meanAcs: VariantLowering = (place, { of }) => mixedViews(place, of, () => 1 / 3);

const softAcs: VariantLowering = (place, { of }) => {
  const core = toFloat32(parameter(place, "soft_w_core"));
  const shares = Array.from({ length: of.out }, (_, o) => {
    const row = [...core.subarray(3 * o, 3 * o + 3)];
    const most = Math.max(...row);
    const powers = row.map((v) => Math.exp(v - most));
    return powers.map((v) => v / powers.reduce((a, b) => a + b));
  });
  return mixedViews(place, of, (o, axis) => shares[o][axis]);
};

/** Variants whose parameter is the 3D kernel. */
const dense: VariantLowering = (place, { of, variant }) => convolution(place, of, place.from[0], weightOf(place, "weight"), variant.taps(of));

/** Transposed 2.5D spreads its kernel along the flat axis, so that no slice of the result stays empty. */
const conv25d: VariantLowering = (place, layer) => {
  const { of, variant } = layer;
  if (of.kind === "conv") return dense(place, layer);
  const flat = variant.options["axis"];
  const w = parameter(place, "weight");
  const planar = ndarray(w.data, w.shape.filter((_, a) => a !== 2 + Number(flat)), w.dtype);
  return convolution(place, of, place.from[0], place.build.floats(`${place.node.parameters}.weight.3d`, ...transposedViews(of, planar, (_, axis) => (axis === flat ? 1 : 0))), isotropicTaps(of));
};

/** The 2D kernel on each slice. */
const inPlane = (place: Place, of: VariantLayer["of"], x: string): string => {
  const w = parameter(place, "weight");
  return convolution(place, of, x, place.build.floats(`${place.node.parameters}.weight.3d`, toFloat32(w), flatShape(w.shape, 0)), inPlaneTaps(of));
};

/** Channels from `from` up to `to` of x. */
const channels = (place: Place, x: string, from: number, to: number): string =>
  place.build.op("Slice", [x, place.build.ints("from", [from]), place.build.ints("to", [to]), place.build.ints("axes", [1])], {}, `${place.node.name}.channels`);

/** x read one slice further (`by` 1) or one slice before (-1); beyond the volume are zeros or the border slice. */
const shifted = (place: Place, x: string, by: 1 | -1, mode: "constant" | "edge"): string => {
  const pads = by === 1 ? [0, 0, 0, 0, 0, 0, 0, 1, 0, 0] : [0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
  const padded = place.build.op("Pad", [x, place.build.ints("pads", pads)], { mode }, `${place.node.name}.padded`);
  const [start, end] = by === 1 ? [1, Number.MAX_SAFE_INTEGER] : [0, -1];
  return place.build.op("Slice", [padded, place.build.ints("from", [start]), place.build.ints("to", [end]), place.build.ints("axes", [2])], {}, `${place.node.name}.shifted`);
};

/** The first channels through `next`, as many through `previous`, and the rest as they are. */
const folds = (place: Place, of: VariantLayer["of"], nFold: number, change: (part: string, by: 1 | -1) => string): string => {
  const f = Math.floor(of.in / nFold);
  const [x] = place.from;
  if (f === 0) return x;
  const parts = [change(channels(place, x, 0, f), 1), change(channels(place, x, f, 2 * f), -1)];
  if (2 * f < of.in) parts.push(channels(place, x, 2 * f, of.in));
  return place.build.op("Concat", parts, { axis: 1 }, `${place.node.name}.mixed`);
};

const tsm: VariantLowering = (place, { of, variant: { options } }) =>
  inPlane(place, of, options["shift"] === false ? place.from[0] : folds(place, of, Number(options["nFold"]), (part, by) => shifted(place, part, by, "constant")));

/** `alpha x + (1 - alpha) shifted x`, with alpha from the thickness of each sample. */
const alignShift: VariantLowering = (place, { of, variant: { options } }) => {
  const { build, node } = place;
  if (options["shift"] === false) return inPlane(place, of, place.from[0]);
  const column = build.op("Reshape", [place.from[1], build.ints("column", [-1, 1, 1, 1, 1])], {}, `${node.name}.thickness`);
  const ratio = build.op("Div", [build.floats("reference", [Number(options["refThickness"])]), column], {}, `${node.name}.ratio`);
  const beta = build.op("Clip", [ratio, build.floats("zero", [0], []), build.floats("one", [1], [])], {}, `${node.name}.shift`);
  return inPlane(place, of, folds(place, of, Number(options["nFold"]), (part, by) => {
    const moved = shifted(place, part, by, options["paddingZero"] === true ? "constant" : "edge");
    const difference = build.op("Sub", [moved, part], {}, `${node.name}.difference`);
    return build.op("Add", [part, build.op("Mul", [beta, difference], {}, `${node.name}.share`)], {}, `${node.name}.aligned`);
  }));
};

/** Slices mixed by a matrix a channel: a product with the depth as the last axis. */
const a3d: VariantLowering = (place, { of, variant: { options } }) => {
  if (options["shift"] === false) return inPlane(place, of, place.from[0]);
  const { build, node } = place;
  const a = parameter(place, "adaptive_align_weights");
  const [depth, , into] = a.shape;
  const source = toFloat32(a);
  // [C, 1, D, D], from slice and to slice.
  const matrices = Float32Array.from({ length: into * depth * depth }, (_, n) => source[(n % (depth * depth)) * into + Math.floor(n / (depth * depth))]);
  const last = build.op("Transpose", [place.from[0]], { perm: [0, 1, 3, 4, 2] }, `${node.name}.depthLast`);
  const product = build.op("MatMul", [last, build.floats(`${node.parameters}.matrices`, matrices, [into, 1, depth, depth])], {}, `${node.name}.product`);
  return inPlane(place, of, build.op("Transpose", [product], { perm: [0, 1, 4, 2, 3] }, `${node.name}.mixed`));
};

/** By the name of the variant. */
const lowerings: Readonly<Record<string, VariantLowering>> = { acs, meanAcs, softAcs, conv25d, i3d: dense, conv3d: dense, tsm, alignShift, a3d };

/** @throws onnx-variant for one that is neither known nor given */
export const lowerVariant = (place: Place, layer: VariantLayer, given: Readonly<Record<string, VariantLowering>>): string => {
  const { name } = layer.variant;
  const all = { ...lowerings, ...given };
  if (!Object.hasOwn(all, name)) return refuse("onnx-variant", `${place.node.name} is a convolution of the variant ${name}, which is not known in standard operators`, `Say it: exportOnnx(..., { variants: { ${JSON.stringify(name)}: (place, layer) => place.build.op(...) } }).`);
  return all[name](place, layer);
};

