import { IndexicalError } from "./errors.js";
import { fn, tensor } from "../dsl/index.js";
import { suggest } from "./suggest.js";
import { Symbolic } from "./symbolic.js";
import { checkShape, describe, nodeOf, sizeOf, type AnyTensor, type Tensor } from "./tensor.js";

/** How much to add on an axis: the same at both ends, or [low end, high end]. Negative widths crop. */
export type Width = number | readonly [low: number, high: number];
export type PadMode = "zeros" | "edge" | "reflect" | "wrap";

const plain = (x: AnyTensor): Tensor => {
  nodeOf(x);
  return x as unknown as Tensor;
};

const checkInteger = (n: unknown, what: string): number => {
  if (typeof n !== "number" || !Number.isInteger(n)) throw new IndexicalError("view-argument", `${what} must be an integer, got ${String(n)}`, { remedy: "Positions, widths, counts and axes are whole numbers." });
  return n;
};

/** An axis from 0, or counted from the end when negative. */
const checkAxis = (axis: number, rank: number, what: string): number => {
  const a = checkInteger(axis, `the axis of ${what}`);
  if (a < -rank || a >= rank) {
    const remedy = rank === 0 ? "It has no axes." : rank === 1 ? "Its only axis is 0." : `Axes run from 0 to ${rank - 1}, or from -${rank} to -1 counted from the end.`;
    throw new IndexicalError("view-axis", `${what}: axis ${a} of a tensor of rank ${rank}`, { remedy });
  }
  return a < 0 ? a + rank : a;
};

const modes: readonly PadMode[] = ["zeros", "edge", "reflect", "wrap"];

/** How each mode of `pad` brings an index back into [0, n). */
const folds = {
  edge: fn((i: number, n: number) => Math.min(Math.max(i, 0), n - 1)),
  reflect: fn((i: number, n: number) => n - 1 - Math.abs(n - 1 - Math.abs(i))),
  wrap: fn((i: number, n: number) => i % n),
};

/**
 * `x` with `widths[axis]` more elements at the ends of each axis (one width for all axes, or one per axis), of a value or by a mode:
 * `edge` repeats the border, `reflect` mirrors without repeating it (widths below the extent), `wrap` is periodic. Negative widths crop.
 * @throws view-argument, pad-reflect, pad-empty, shape-extent.
 */
export const pad = <T extends AnyTensor>(x: T, widths: number | readonly Width[], fill: number | { readonly mode: PadMode } = 0): T => {
  const read = plain(x);
  const { shape } = x;
  const list = typeof widths === "number" ? shape.map(() => widths) : widths;
  if (list.length !== shape.length)
    throw new IndexicalError("view-argument", `pad was given ${list.length} ${list.length === 1 ? "width" : "widths"} for a tensor of rank ${shape.length}`, { remedy: "Give one width per axis, or one for all." });
  const both = list.map((w, axis): readonly [number, number] => {
    const ends: readonly unknown[] = Array.isArray(w) ? w : [w, w];
    if (ends.length !== 2)
      throw new IndexicalError("view-argument", `pad was given ${ends.length} ${ends.length === 1 ? "width" : "widths"} in the brackets of axis ${axis}`, { remedy: "Give one width for both ends, or [low end, high end]." });
    return [checkInteger(ends[0], `the width of pad on axis ${axis}`), checkInteger(ends[1], `the width of pad on axis ${axis}`)];
  });
  const padded = shape.map((n, axis) => {
    const extent = n + both[axis]![0] + both[axis]![1];
    if (extent < 0)
      throw new IndexicalError("shape-extent", `pad crops axis ${axis} to ${n} + ${both[axis]![0]} + ${both[axis]![1]} = ${extent} elements`, { remedy: "Crop less." });
    return extent;
  });
  const low = both.map((w) => w[0]);
  const value = typeof fill === "number" || (fill as unknown) instanceof Symbolic ? (fill as number) : undefined;
  if (value === undefined && (typeof fill !== "object" || fill === null))
    throw new IndexicalError("view-argument", `pad was given ${describe(fill)} to fill with`, { remedy: 'Give a number, or { mode: "edge" }.' });
  const mode = value === undefined ? (fill as { readonly mode: PadMode }).mode : "zeros";
  if (!modes.includes(mode))
    throw new IndexicalError("pad-mode", `pad has no mode ${String(mode)}`, { remedy: `Modes are ${modes.map((m) => JSON.stringify(m)).join(", ")}.${suggest(String(mode), modes)}` });
  if (mode === "zeros") {
    const around = value ?? 0;
    return tensor(padded, (...at) =>
      at.reduce((inside, i, axis) => inside && i >= low[axis]! && i < low[axis]! + shape[axis]!, true) ? read(...at.map((i, axis) => i - low[axis]!)) : around,
    ) as unknown as T;
  }
  both.forEach((w, axis) => {
    const n = shape[axis]!;
    if (Math.max(...w) > 0 && n === 0) throw new IndexicalError("pad-empty", `pad by ${mode} of axis ${axis}, which is empty`, { remedy: "Pad it by a value." });
    if (mode === "reflect" && Math.max(...w) >= Math.max(n, 1))
      throw new IndexicalError("pad-reflect", `pad by reflect with width ${Math.max(...w)} on axis ${axis} of extent ${n}`, { remedy: "The width must be below the extent; edge and wrap take any width." });
  });
  const fold = folds[mode];
  return tensor(padded, (...at) =>
    read(...at.map((i, axis) => (both[axis]![0] === 0 && both[axis]![1] === 0 ? i : fold(i - low[axis]!, shape[axis]!)))),
  ) as unknown as T;
};

/** Where to cut an axis: from `low` up to, and excluding, `high`, every `step`th; null keeps the axis. */
export type Cut = readonly [low: number, high: number, step?: number] | null;

/** A part of `x`: one cut per axis. @throws view-argument, slice-range. */
export const slice = <T extends AnyTensor>(x: T, cuts: readonly Cut[]): T => {
  const read = plain(x);
  if (cuts.length !== x.shape.length) throw new IndexicalError("view-argument", `slice was given ${cuts.length} ${cuts.length === 1 ? "cut" : "cuts"} for a tensor of rank ${x.shape.length}`, { remedy: "Give one cut per axis; null keeps an axis." });
  const parts = cuts.map((cut, axis) => {
    const n = x.shape[axis]!;
    const [low, high, step = 1] = cut ?? [0, n];
    for (const v of [low, high, step]) checkInteger(v, `the cut of axis ${axis}`);
    if (low < 0 || high > n || low > high || step < 1)
      throw new IndexicalError("slice-range", `slice [${low}, ${high}, ${step}] of axis ${axis}, whose extent is ${n}`, { remedy: "0 <= low <= high <= extent, and step >= 1; flip reverses." });
    return { low, step, extent: Math.ceil((high - low) / step) };
  });
  return tensor(
    parts.map((p) => p.extent),
    (...at) => read(...at.map((i, axis) => parts[axis]!.low + parts[axis]!.step * i)),
  ) as unknown as T;
};

const noTensors = (what: string): IndexicalError => new IndexicalError("view-argument", `${what} of no tensors`, { remedy: "Give at least one: its shape is the others' shape." });

const sameShapes = (tensors: readonly AnyTensor[], what: string, except?: number): void => {
  const [first] = tensors;
  if (!first) throw noTensors(what);
  for (const t of tensors)
    if (t.shape.length !== first.shape.length || t.shape.some((n, axis) => axis !== except && n !== first.shape[axis]))
      throw new IndexicalError("view-shapes", `${what} of shapes ${tensors.map((u) => `[${u.shape.join(", ")}]`).join(" and ")}`, {
        remedy: except === undefined ? "Make the shapes equal." : `Make the extents equal on all axes but ${except}.`,
      });
};

/** The tensors one after another along an axis. @throws view-shapes, view-axis. */
export const concat = <T extends AnyTensor>(tensors: readonly T[], axis: number): T => {
  const reads = tensors.map(plain);
  if (tensors.length === 0) throw noTensors("concat");
  const a = checkAxis(axis, tensors[0]!.shape.length, "concat");
  sameShapes(tensors, "concat", a);
  const starts: number[] = [];
  let total = 0;
  for (const t of tensors) {
    starts.push(total);
    total += t.shape[a]!;
  }
  const last = tensors.length - 1;
  return tensor(
    tensors[0]!.shape.map((n, b) => (b === a ? total : n)),
    (...at) => {
      const part = (t: number) => reads[t]!(...at.map((i, b) => (b === a ? i - starts[t]! : i)));
      return reads.slice(0, last).reduceRight((rest, _, t) => (at[a]! < starts[t + 1]! ? part(t) : rest), part(last));
    },
  ) as unknown as T;
};

/** The tensors, of one shape, side by side along a new axis. @throws view-shapes, view-axis. */
export const stack = <R extends AnyTensor = Tensor>(tensors: readonly AnyTensor[], axis: number): R => {
  const reads = tensors.map(plain);
  sameShapes(tensors, "stack");
  const shape = tensors[0]!.shape;
  const a = checkAxis(axis, shape.length + 1, "stack");
  const last = tensors.length - 1;
  return tensor([...shape.slice(0, a), tensors.length, ...shape.slice(a)], (...at) => {
    const rest = at.filter((_, b) => b !== a);
    return reads.slice(0, last).reduceRight((others, read, t) => (at[a]! === t ? read(...rest) : others), reads[last]!(...rest));
  }) as unknown as R;
};

/** Axis `b` of the result is axis `permutation[b]` of `x`. @throws view-argument. */
export const transpose = <T extends AnyTensor>(x: T, permutation: readonly number[]): T => {
  const read = plain(x);
  if ([...permutation].sort((p, q) => p - q).join() !== x.shape.map((_, b) => b).join())
    throw new IndexicalError("view-argument", `[${permutation.join(", ")}] is no permutation of the ${x.shape.length} axes`, { remedy: `Name each axis from 0 to ${x.shape.length - 1} once.` });
  return tensor(
    permutation.map((b) => x.shape[b]!),
    (...at) => read(...x.shape.map((_, b) => at[permutation.indexOf(b)]!)),
  ) as unknown as T;
};

/** `x` reversed along the given axes. @throws view-axis. */
export const flip = <T extends AnyTensor>(x: T, axes: number | readonly number[]): T => {
  const read = plain(x);
  const reversed = new Set((typeof axes === "number" ? [axes] : axes).map((a) => checkAxis(a, x.shape.length, "flip")));
  return tensor(x.shape, (...at) => read(...at.map((i, axis) => (reversed.has(axis) ? x.shape[axis]! - 1 - i : i)))) as unknown as T;
};

/** The same elements in row-major order in another shape. @throws reshape-size. */
export const reshape = <R extends AnyTensor = Tensor>(x: AnyTensor, shape: readonly number[]): R => {
  const read = plain(x);
  const size = sizeOf(checkShape([...shape], "the shape given to reshape"));
  if (size !== sizeOf(x.shape))
    throw new IndexicalError("reshape-size", `reshape of [${x.shape.join(", ")}] (${sizeOf(x.shape)} elements) to [${shape.join(", ")}] (${size})`, { remedy: "Make the products of the extents equal." });
  if (size === 0) return tensor(shape, (..._at) => 0) as unknown as R;
  const strides = (s: readonly number[]): number[] => s.map((_, axis) => sizeOf(s.slice(axis + 1)));
  const [to, from] = [strides(shape), strides(x.shape)];
  return tensor(shape, (...at) => {
    const flat = at.reduce((total, i, axis) => total + to[axis]! * i, 0);
    return read(...x.shape.map((n, axis) => (n === 1 ? 0 : axis === 0 ? Math.floor(flat / from[axis]!) : Math.floor(flat / from[axis]!) % n)));
  }) as unknown as R;
};

/** `x` seen in a larger shape: axes are aligned at the end, and an extent of 1 is read again and again (NumPy's rules). @throws broadcast-shape. */
export const broadcast = <R extends AnyTensor = Tensor>(x: AnyTensor, shape: readonly number[]): R => {
  const read = plain(x);
  const offset = shape.length - x.shape.length;
  if (offset < 0 || x.shape.some((n, axis) => n !== 1 && n !== shape[axis + offset]))
    throw new IndexicalError("broadcast-shape", `[${x.shape.join(", ")}] can't be broadcast to [${shape.join(", ")}]`, {
      remedy: "Aligned at the last axis, each extent must be equal or 1.",
    });
  return tensor(shape, (...at) => read(...x.shape.map((n, axis) => (n === 1 ? 0 : at[axis + offset]!)))) as unknown as R;
};

/** Each element `times` times in a row along an axis, as numpy.repeat. @throws view-axis, view-argument. */
export const repeat = <T extends AnyTensor>(x: T, times: number, axis: number): T => {
  const read = plain(x);
  const a = checkAxis(axis, x.shape.length, "repeat");
  if (checkInteger(times, "the count of repeat") < 0) throw new IndexicalError("view-argument", `repeat ${times} times`, { remedy: "Give a count of 0 or more." });
  if (times === 0) return tensor(x.shape.map((n, b) => (b === a ? 0 : n)), (..._at) => 0) as unknown as T;
  return tensor(
    x.shape.map((n, b) => (b === a ? n * times : n)),
    (...at) => read(...at.map((i, b) => (b === a ? Math.floor(i / times) : i))),
  ) as unknown as T;
};
