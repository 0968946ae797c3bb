import type { LayerOf } from "../../networks/layer.js";
import { around, widthsOf, windowsOf, type Widths } from "./convolution.js";
import type { Feature } from "./operand.js";
import type { LayerOperator, Place } from "./place.js";

/**
 * Pads of a pool as one number an axis. Where the high end has more by the stride less one, every window that starts inside counts:
 * what a pool with partial windows does, `floor((m + s - 1) / s) = ceil(m / s)`.
 */
const evened = (place: Place, widths: Widths, stride: readonly number[], kernel: readonly number[], ceil: boolean): { readonly padding: readonly number[]; readonly ceil: boolean } => {
  const padding = widths.map(([low]) => low);
  if (widths.every(([low, high]) => low === high)) return { padding, ceil };
  const partial = widths.every(([low, high], axis) => high - low === stride[axis] - 1 && low + stride[axis] - 1 < kernel[axis]);
  return partial && !ceil ? { padding, ceil: true } : place.noLayer(`its pads differ between the ends of an axis: [${widths.map((pair) => `${pair[0]} and ${pair[1]}`).join(", ")}]`);
};

const maxPool: LayerOperator = (place) => {
  const x = place.any(0);
  const spatial = windowsOf(place, x);
  const { kernel, stride, dilation } = spatial;
  if (place.call.int("storage_order", 0) !== 0) return place.noLayer("storage_order 1");
  // A border of zeros is as good as none below numbers that are never negative, where every window has one.
  if (x.border && !(x.border.value < -1e38 || (x.border.value === 0 && x.nonNegative))) return place.noLayer(`its input is padded by ${x.border.value}, which may be larger than what is in the window`);
  const own = widthsOf(place, x, spatial);
  const { padding, ceil } = evened(place, x.border ? around(own, x.border.widths) : own, stride, kernel, place.call.flag("ceil_mode", false));
  return place.layer({ kind: "pool", op: "max", kernel, stride, padding, dilation, ceil, countIncludePad: true }, [x], { pooled: false, nonNegative: x.nonNegative ?? false });
};

const averagePool: LayerOperator = (place) => {
  const { call } = place;
  const x = place.any(0);
  const spatial = windowsOf(place, x);
  const { kernel, stride, dilation } = spatial;
  if (dilation.some((r) => r !== 1)) return place.noLayer("a mean over dilated windows");
  const own = widthsOf(place, x, spatial);
  const unpadded = own.flat().every((n) => n === 0);
  const counted = call.flag("count_include_pad", false);
  if (x.border && (x.border.value !== 0 || !(counted || unpadded))) return place.noLayer("its input is padded by what counts, and itself by what does not");
  const countIncludePad = counted || x.border !== undefined;
  const widths = x.border ? around(own, x.border.widths) : own;
  const { padding, ceil } = widths.every(([low, high]) => low === high) || !countIncludePad ? evened(place, widths, stride, kernel, call.flag("ceil_mode", false)) : place.noLayer("its pads differ between the ends of an axis, and count");
  const layer: LayerOf<"pool"> = { kind: "pool", op: "mean", kernel, stride, padding, dilation, ceil, countIncludePad };
  return place.layer(layer, [x], { pooled: false, nonNegative: x.nonNegative ?? false });
};

/** Over all of space, whose axes stay. */
const overSpace = (place: Place, x: Feature, op: "max" | "mean"): Feature => {
  if (x.rank !== 4 && x.rank !== 5) return place.noLayer(`its input has rank ${x.rank}; layers are for images and volumes`);
  return place.layer({ kind: "adaptivePool", op, size: Array<number>(x.rank - 2).fill(1) }, [x], { pooled: true, nonNegative: x.nonNegative ?? false });
};

const reduction = (op: "max" | "mean"): LayerOperator => (place) => {
  const { call } = place;
  const x = place.either(0);
  const axes = call.axes(1, x.rank) ?? Array.from({ length: x.rank }, (_, axis) => axis);
  const space = Array.from({ length: x.rank - 2 }, (_, axis) => axis + (x.channelsLast ? 1 : 2));
  if (space.length === 0 || axes.length !== space.length || !space.every((axis) => axes.includes(axis))) return place.noLayer(`it reduces axes [${axes.join(", ")}], and layers reduce all of space, [${space.join(", ")}]`);
  if (call.flag("keepdims", true)) return overSpace(place, x, op);
  if (op === "mean") return place.layer({ kind: "globalPool" }, [x], { rank: 2, channelsLast: false });
  return place.layer({ kind: "flatten", depth: "keep" }, [overSpace(place, x, op)], { rank: 2, channelsLast: false });
};

/** Pools. */
export const pool: Readonly<Record<string, LayerOperator>> = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: (place) => overSpace(place, place.feature(0), "mean"),
  GlobalMaxPool: (place) => overSpace(place, place.feature(0), "max"),
  ReduceMean: reduction("mean"),
  ReduceMax: reduction("max"),
};
