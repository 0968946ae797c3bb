import type { LayerOf } from "../../networks/layer.js";
import { extentsOf } from "./extents.js";
import type { Extent, Feature, Operand } from "./operand.js";
import type { LayerOperator, Place } from "./place.js";

type Upsample = LayerOf<"upsample">;

/** Where element `i` of an axis that is made `s` times as large lies, for nearest neighbours. */
const placeOf = (mode: string, i: number, s: number): number | undefined => {
  switch (mode) {
    case "asymmetric": return i / s;
    case "half_pixel":
    case "pytorch_half_pixel": return (i + 0.5) / s - 0.5;
    case "tf_half_pixel_for_nn": return (i + 0.5) / s;
    default: return undefined;
  }
};

const rounded = (mode: string, v: number): number | undefined => {
  switch (mode) {
    case "floor": return Math.floor(v);
    case "ceil": return Math.ceil(v);
    case "round_prefer_floor": return Math.ceil(v - 0.5);
    case "round_prefer_ceil": return Math.floor(v + 0.5);
    default: return undefined;
  }
};

/** Does it read floor(i / s) for the elements of a period? Modes that differ elsewhere agree for whole factors. */
const repeats = (mode: string, rounding: string, s: number): boolean =>
  Number.isInteger(s) && Array.from({ length: s }, (_, i) => placeOf(mode, i + s, s)).every((v, i) => v !== undefined && rounded(rounding, v + 1e-9 * (rounding === "floor" ? 1 : 0)) === Math.floor((i + s) / s));

/** The layer's mode, where what the node states is what the layer does. @param scale undefined when it is not known */
const modeOf = (place: Place, scale: readonly number[] | undefined): Pick<Upsample, "mode" | "alignCorners"> => {
  const { call } = place;
  const method = call.text("mode", "nearest");
  const old = call.opset < 11 || place.node.op === "Upsample";
  const where = old ? "asymmetric" : call.text("coordinate_transformation_mode", "half_pixel");
  const rounding = old ? "floor" : call.text("nearest_mode", "round_prefer_floor");
  if (call.flag("antialias", false) || call.flag("exclude_outside", false) || call.text("keep_aspect_ratio_policy", "stretch") !== "stretch") return place.noLayer("layers have neither antialias nor exclude_outside nor keep_aspect_ratio_policy");
  if (method === "nearest") {
    const same = (where === "asymmetric" && rounding === "floor") || (scale?.every((s) => s === 1 || repeats(where, rounding, s)) ?? false);
    return same ? { mode: "nearest", alignCorners: false } : place.noLayer(`nearest neighbours with coordinates ${where} and rounding ${rounding}; layers read element floor(i n / o)`);
  }
  if (!["linear", "bilinear", "trilinear"].includes(method)) return place.noLayer(`mode is ${method}; layers have nearest and linear`);
  if (where === "align_corners") return { mode: "linear", alignCorners: true };
  return where === "half_pixel" || where === "pytorch_half_pixel" ? { mode: "linear", alignCorners: false } : place.noLayer(`linear with coordinates ${where}; layers have half_pixel and align_corners`);
};

const upsampled = (place: Place, x: Feature, scale: readonly number[]): Feature => {
  if (scale.every((s) => s === 1)) return x;
  return place.layer({ kind: "upsample", ...modeOf(place, scale), scale }, [x], { nonNegative: x.nonNegative ?? false, pooled: false });
};

/** To the extents of another value. */
const toExtentsOf = (place: Place, x: Feature, other: Feature): Feature =>
  place.layer({ kind: "upsample", ...modeOf(place, undefined), scale: "second input" }, [x, other], { nonNegative: x.nonNegative ?? false, pooled: false });

/** The value whose extents these are, one a spatial axis. */
const ownerOf = (extents: readonly (number | Extent)[], rank: number): Feature | undefined => {
  const [first] = extents;
  if (typeof first !== "object" || first.of.rank !== rank) return undefined;
  return extents.every((entry, axis) => typeof entry === "object" && entry.of.value === first.of.value && entry.axis === axis + 2 && entry.times === 1) ? first.of : undefined;
};

/** Factors from extents of the value itself, or from numbers that are known. */
const factorsOf = (place: Place, x: Feature, extents: readonly (number | Extent)[]): readonly number[] => {
  if (extents.every((entry, axis) => typeof entry === "object" && entry.of.value === x.value && entry.axis === axis + 2)) return extents.map((entry) => (entry as Extent).times);
  const space = place.shapeOf(x)?.slice(2);
  const to = extents.map((entry) => place.resolve(entry));
  if (!space || !to.every((n) => n !== undefined)) return place.noLayer("how much larger it makes its input depends on extents that are not known", "Give the shapes of the inputs: networkOfOnnx(model, { shapes: { x: [...] } }).");
  const scale = to.map((n, axis) => n / space[axis]);
  if (scale.some((s, axis) => s * space[axis] !== to[axis])) return place.noLayer(`extents [${space.join(", ")}] to [${to.join(", ")}] are no factor`);
  return scale;
};

/** Of a list with an entry for every axis, or for those of `axes`, the entries of space; the others must change nothing. */
const ofSpace = (place: Place, x: Feature, entries: readonly (number | Extent)[], unchanged: (entry: number | Extent, axis: number) => boolean): readonly (number | Extent)[] => {
  const axes = place.call.has("axes") ? place.call.axes(-1, x.rank)! : entries.map((_, axis) => axis);
  if (axes.length !== entries.length || (!place.call.has("axes") && axes.length !== x.rank)) return place.call.refuse("onnx-shape", `${entries.length} entries for rank ${x.rank}`);
  axes.forEach((axis, n) => {
    if (axis < 2 && !unchanged(entries[n], axis)) place.noLayer(`it resizes the ${axis === 0 ? "batch" : "channels"}`);
  });
  return Array.from({ length: x.rank - 2 }, (_, a) => (axes.includes(a + 2) ? entries[axes.indexOf(a + 2)] : { of: x, axis: a + 2, times: 1 }));
};

const list = (operand: Operand | undefined): readonly (number | Extent)[] | undefined => {
  if (operand?.kind === "refused") throw operand.error;
  const entries = extentsOf(operand);
  return entries?.length === 0 ? undefined : entries;
};

const resize: LayerOperator = (place) => {
  const x = place.feature(0);
  const old = place.call.opset < 11 || place.node.op === "Upsample";
  const sizes = old ? undefined : list(place.operands[3]);
  if (sizes) {
    const channels = x.channels ?? place.shapeOf(x)?.[1];
    const space = ofSpace(place, x, sizes, (entry, axis) => (typeof entry === "object" ? entry.axis === axis && entry.times === 1 && (axis === 0 || entry.of.channels === channels) : entry === (axis === 0 ? (place.shapeOf(x)?.[0] ?? 1) : channels)));
    const owner = ownerOf(space, x.rank);
    return owner && owner.value !== x.value ? toExtentsOf(place, x, owner) : upsampled(place, x, factorsOf(place, x, space));
  }
  const scales = place.call.floats("scales") ?? list(place.operands[old ? 1 : 2]) ?? place.call.refuse("onnx-shape", "neither scales nor sizes are given");
  const space = ofSpace(place, x, scales, (entry) => entry === 1);
  return upsampled(place, x, space.map((entry) => (typeof entry === "number" ? entry : entry.of === x ? 1 : place.noLayer("its factors depend on the extents of another value"))));
};

/** Resampling. */
export const resampling: Readonly<Record<string, LayerOperator>> = { Resize: resize, Upsample: resize };
