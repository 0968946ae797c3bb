import type { Network } from "./graph.js";
import type { Layer, Taps } from "./layer.js";

/** Of one value, along each axis of space: how many elements of the input it depends on, and how far apart those of neighbours start. */
interface Reach {
  readonly field: readonly number[];
  readonly jump: readonly number[];
}

/**
 * The receptive field of the first output on the first input of a network, axis by axis: what its layers can reach, borders aside;
 * Infinity where they see all. Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019.
 */
export const receptiveFields = (net: Network, shapes: Readonly<Record<string, readonly number[]>>): readonly number[] => {
  const [first] = net.inputs;
  const axes = shapes[first].length - 2;
  const reaches = new Map<string, Reach>([[first, { field: Array<number>(axes).fill(1), jump: Array<number>(axes).fill(1) }]]);
  for (const { name, layer, from } of net.nodes) {
    const known = from.flatMap((value) => reaches.get(value) ?? []);
    if (known.length === 0) continue;
    reaches.set(name, after(layer, known, shapes[from[0]], shapes[name]));
  }
  return reaches.get(net.outputs[0])?.field ?? [];
};

const after = (layer: Layer, from: readonly Reach[], before: readonly number[], shape: readonly number[]): Reach => {
  const [x] = from;
  const widest: Reach = { ...x, field: x.field.map((_, axis) => Math.max(...from.map((r) => r.field[axis] ?? 0))) };
  const everything: Reach = { field: x.field.map(() => Infinity), jump: x.jump };
  switch (layer.kind) {
    case "conv":
    case "pool": return windowed(x, layer);
    case "convTranspose": return spread(x, layer);
    case "variant": {
      const { variant, of } = layer;
      // Mixing slices first reaches that much further along the depth.
      const mixed = { ...x, field: x.field.map((field, axis) => field + (axis === 0 ? ((variant.mixing?.slices ?? 1) - 1) * x.jump[0] : 0)) };
      return of.kind === "conv" ? windowed(mixed, variant.taps(of)) : spread(mixed, variant.taps(of));
    }
    case "upsample": return resampled(x, layer.mode === "linear" ? 2 : 1, x.jump.map((_, axis) => before[2 + axis] / shape[2 + axis]));
    case "adaptivePool": return everything;
    case "globalPool":
    case "flatten":
    case "groupNorm": return everything;
    case "softmax": return layer.axis === 1 ? x : everything;
    case "batchNorm": return layer.statistics === "batch" ? everything : x;
    case "slice": return { field: x.field.slice(1), jump: x.jump.slice(1) };
    case "imageAsVolume": return before.length === 4 ? { field: [1, ...x.field], jump: [1, ...x.jump] } : x;
    default: return widest;
  }
};

const windowed = ({ field, jump }: Reach, { kernel, stride, dilation }: Taps): Reach => ({
  field: field.map((n, axis) => n + (kernel[axis] - 1) * dilation[axis] * jump[axis]),
  jump: jump.map((j, axis) => j * stride[axis]),
});

/** An element of the result is reached by the taps that fall on it: one in so many as the stride. */
const spread = ({ field, jump }: Reach, { kernel, stride, dilation }: Taps): Reach => ({
  field: field.map((n, axis) => n + (Math.ceil(((kernel[axis] - 1) * dilation[axis] + 1) / stride[axis]) - 1) * jump[axis]),
  jump: jump.map((j, axis) => j / stride[axis]),
});

const resampled = ({ field, jump }: Reach, taps: number, ratio: readonly number[]): Reach => ({
  field: field.map((n, axis) => n + (ratio[axis] === 1 ? 0 : taps - 1) * jump[axis]),
  jump: jump.map((j, axis) => j * ratio[axis]),
});
