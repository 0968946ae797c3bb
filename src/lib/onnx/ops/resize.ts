import { fn, tensor, type Tensor } from "../../../dsl/index.js";
import { Value } from "../value.js";
import type { Call, Operator } from "../call.js";

/** A ratio of whole numbers. */
interface Ratio {
  readonly above: number;
  readonly below: number;
}

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b));
const ratio = (above: number, below: number): Ratio => {
  const d = commonDivisor(Math.abs(above), below) || 1;
  return { above: above / d, below: below / d };
};

/** The simplest ratio within 1e-7 of a number, by continued fractions: a scale in a file is a float32. */
const nearestRatio = (value: number): Ratio => {
  let [h0, h1, k0, k1] = [0, 1, 1, 0];
  let rest = value;
  for (let n = 0; n < 32; n++) {
    const a = Math.floor(rest);
    [h0, h1] = [h1, a * h1 + h0];
    [k0, k1] = [k1, a * k1 + k0];
    if (Math.abs(h1 / k1 - value) <= 1e-7 * value) break;
    rest = 1 / (rest - a);
  }
  return { above: h1, below: k1 };
};

/** How an axis is resampled: element i of the result lies at (a i + b) / c of the input. */
interface Axis {
  readonly from: number;
  readonly to: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

/** Where elements lie, by `coordinate_transformation_mode`; `step` is the input over the output, 1 / scale. */
const axisOf = (call: Call, mode: string, from: number, to: number, { above: p, below: q }: Ratio): Axis => {
  const cells = { from, to, a: 2 * p, b: p - q, c: 2 * q };
  switch (mode) {
    case "half_pixel": return cells;
    case "pytorch_half_pixel": return to > 1 ? cells : { from, to, a: 0, b: 0, c: 1 };
    case "half_pixel_symmetric": {
      // The part of the input that is not covered is left out at both ends: from / 2 * (1 - to / (scale * from)).
      const { above, below } = ratio(from * q - to * p, 2 * q);
      return { from, to, a: cells.a * below, b: cells.b * below + above * cells.c, c: cells.c * below };
    }
    case "asymmetric": return { from, to, a: p, b: 0, c: q };
    case "align_corners": return { from, to, a: from - 1, b: 0, c: Math.max(to - 1, 1) };
    case "tf_half_pixel_for_nn": return { from, to, a: 2 * p, b: p, c: 2 * q };
    default: return call.refuse("onnx-attribute", `coordinate_transformation_mode is ${mode}`);
  }
};

/** Which element is nearest, as a floored quotient (a i + b + shift) / c. */
const nearestShift = (call: Call, mode: string, c: number): { readonly shift: number; readonly scale: number } => {
  switch (mode) {
    case "floor": return { shift: 0, scale: 1 };
    case "ceil": return { shift: c - 1, scale: 1 };
    case "round_prefer_ceil": return { shift: c, scale: 2 };
    case "round_prefer_floor": return { shift: c - 1, scale: 2 };
    default: return call.refuse("onnx-attribute", `nearest_mode is ${mode}`);
  }
};

const nearest = (call: Call, x: Tensor, axes: readonly (Axis | undefined)[], mode: string): Tensor => {
  const places = axes.map((axis) => {
    if (!axis) return undefined;
    const { shift, scale } = nearestShift(call, mode, axis.c);
    const place = ratioOf3(scale * axis.a, scale * axis.b + shift, scale * axis.c);
    const last = axis.from - 1;
    // Places that stay inside need no clamp, and are reads that the compiler sees through.
    const inside = Math.floor(place.b / place.c) >= 0 && Math.floor((place.a * (axis.to - 1) + place.b) / place.c) <= last;
    return { ...place, last, inside };
  });
  const at1 = fn((i: number, a: number, b: number, c: number) => Math.floor((a * i + b) / c));
  return tensor(axes.map((axis, n) => axis?.to ?? x.shape[n]), (...at) =>
    x(...at.map((i, n) => {
      const p = places[n];
      return !p ? i : p.inside ? at1(i, p.a, p.b, p.c) : Math.min(Math.max(at1(i, p.a, p.b, p.c), 0), p.last);
    })),
  );
};

const ratioOf3 = (a: number, b: number, c: number): { a: number; b: number; c: number } => {
  const d = commonDivisor(commonDivisor(Math.abs(a), Math.abs(b)), c) || 1;
  return { a: a / d, b: b / d, c: c / d };
};

/** Linear along each axis that changes: the places are clamped to the input, so that the border repeats. */
const linear = (x: Tensor, axes: readonly (Axis | undefined)[]): Tensor => {
  const moved = axes.flatMap((axis, n) => (axis ? [n] : []));
  const corners = moved.reduce<boolean[][]>((all) => all.flatMap((corner) => [[...corner, false], [...corner, true]]), [[]]);
  const steps = moved.map((n) => ratioOf3(axes[n]!.a, axes[n]!.b, axes[n]!.c));
  const last = moved.map((n) => axes[n]!.from - 1);
  return tensor(axes.map((axis, n) => axis?.to ?? x.shape[n]), (...at) => {
    const place = moved.map((n, m) => Math.min(Math.max(steps[m].a * at[n] + steps[m].b, 0), last[m] * steps[m].c));
    const low = place.map((p, m) => Math.floor(p / steps[m].c));
    const t = place.map((p, m) => p / steps[m].c - low[m]);
    return corners
      .map((upper) => {
        const weight = upper.map((up, m) => (up ? t[m] : 1 - t[m])).reduce((p, q) => p * q, 1);
        return weight * x(...at.map((i, n) => (moved.includes(n) ? (upper[moved.indexOf(n)] ? Math.min(low[moved.indexOf(n)] + 1, last[moved.indexOf(n)]) : low[moved.indexOf(n)]) : i)));
      })
      .reduce((p, q) => p + q);
  });
};

/** The new extents and the step of each axis; undefined for an axis that stays. */
const targets = (call: Call, mode: string, scales: readonly number[] | undefined, sizes: readonly number[] | undefined): readonly (Axis | undefined)[] => {
  const shape = call.shape(0);
  const axes = call.has("axes") ? call.axes(-1, shape.length)! : shape.map((_, axis) => axis);
  const given = sizes ?? scales ?? call.refuse("onnx-shape", "neither scales nor sizes are given");
  if (given.length !== axes.length) call.refuse("onnx-shape", `${given.length} ${sizes ? "sizes" : "scales"} for ${axes.length} axes`);
  return shape.map((from, n) => {
    const k = axes.indexOf(n);
    if (k < 0) return undefined;
    const to = sizes ? sizes[k] : Math.floor(from * scales![k] + 1e-7);
    if (!Number.isSafeInteger(to) || to < 1 || from < 1 || !(given[k] > 0)) return call.refuse("onnx-shape", `axis ${n} of extent ${from} by ${sizes ? `size ${sizes[k]}` : `scale ${scales![k]}`}`);
    if (to === from && (sizes || scales![k] === 1)) return undefined;
    const step = sizes || Math.abs(from * scales![k] - to) < 1e-5 ? ratio(from, to) : ratioInverse(nearestRatio(scales![k]));
    return axisOf(call, mode, from, to, step);
  });
};

const ratioInverse = ({ above, below }: Ratio): Ratio => ({ above: below, below: above });

const resampled = (call: Call, method: string, axes: readonly (Axis | undefined)[], nearestMode: string): Value => {
  const x = call.tensor(0);
  if (axes.every((axis) => !axis)) return call.value(0);
  switch (method) {
    case "nearest": return Value.of(nearest(call, x, axes, nearestMode), call.kind(0));
    case "linear":
    case "bilinear":
    case "trilinear": return Value.of(linear(x, axes), "float");
    default: return call.refuse("onnx-attribute", `mode is ${method}`, "nearest and linear are read.");
  }
};

const resize: Operator = (call) => {
  const method = call.text("mode", "nearest");
  if (call.opset < 11) return resampled(call, method, targets(call, "asymmetric", call.numbers(1), undefined), "floor");
  if (call.flag("antialias", false)) call.refuse("onnx-attribute", "antialias 1 is not read");
  if (call.flag("exclude_outside", false)) call.refuse("onnx-attribute", "exclude_outside 1 is not read");
  const policy = call.text("keep_aspect_ratio_policy", "stretch");
  if (policy !== "stretch") call.refuse("onnx-attribute", `keep_aspect_ratio_policy is ${policy}`);
  const mode = call.text("coordinate_transformation_mode", "half_pixel");
  return resampled(call, method, targets(call, mode, call.numbers(2), call.numbers(3)), call.text("nearest_mode", "round_prefer_floor"));
};

/** The predecessor of Resize: scales are an attribute before opset 9, an input after. */
const upsample: Operator = (call) => resampled(call, call.text("mode", "nearest"), targets(call, "asymmetric", call.floats("scales") ?? call.numbers(1), undefined), "floor");

/** Resampling. */
export const resampling: Readonly<Record<string, Operator>> = { Resize: resize, Upsample: upsample };
