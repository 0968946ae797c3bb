import { toFloat64 } from "../../formats/ndarray.js";
import type { Extent, Extents, Operand } from "./operand.js";
import type { LayerOperator, Place } from "./place.js";

/** Extents of a value of the network, or whole numbers that are known, as a list. */
export const extentsOf = (operand: Operand | undefined): readonly (number | Extent)[] | undefined => {
  if (operand?.kind === "extents") return operand.list;
  return operand?.kind === "known" ? [...toFloat64(operand.array)] : undefined;
};

const list = (place: Place, n: number): readonly (number | Extent)[] => extentsOf(place.operand(n)) ?? place.noLayer(`its input ${n} depends on the data where extents are needed`);

const vector = (values: readonly (number | Extent)[], single = false): Extents => ({ kind: "extents", list: values, single });

const single = (place: Place, n: number): boolean => {
  const operand = place.operand(n);
  return operand.kind === "extents" ? operand.single : operand.kind === "known" && operand.array.shape.length === 0;
};

const scaled = (value: number | Extent, by: number): number | Extent => (typeof value === "number" ? value * by : { ...value, times: value.times * by });

/** Products and quotients by numbers that are known. */
const product = (invert: boolean): LayerOperator => (place) => {
  const [a, b] = [list(place, 0), list(place, 1)];
  const from = (values: readonly (number | Extent)[], i: number): number | Extent => (values.length === 1 ? values[0] : values[i]);
  return vector(Array.from({ length: Math.max(a.length, b.length) }, (_, i) => {
    const [x, y] = [from(a, i), from(b, i)];
    if (typeof y === "number") return scaled(x, invert ? 1 / y : y);
    return !invert && typeof x === "number" ? scaled(y, x) : place.noLayer("it multiplies extents by each other");
  }), single(place, 0) && single(place, 1));
};

const same: LayerOperator = (place) => vector(list(place, 0), single(place, 0));

/** The shape of a value, without its numbers. */
const shape: LayerOperator = (place) => {
  const x = place.either(0);
  const all = Array.from({ length: x.rank }, (_, axis): Extent => ({ of: x, axis: x.channelsLast && axis > 0 ? (axis === x.rank - 1 ? 1 : axis + 1) : axis, times: 1 }));
  return vector(all.slice(place.call.int("start", 0), place.call.int("end", x.rank)));
};

const gather: LayerOperator = (place) => {
  const from = list(place, 0);
  const at = place.known(1);
  const picked = [...toFloat64(at)].map((i) => from[i < 0 ? i + from.length : i] ?? place.noLayer(`it gathers extent ${i} of ${from.length}`));
  return vector(picked, at.shape.length === 0);
};

const slice: LayerOperator = (place) => {
  const { call } = place;
  const from = list(place, 0);
  const one = (attribute: string, n: number): number | undefined => (call.ints(attribute) ?? call.numbers(n))?.[0];
  if ((call.numbers(4)?.[0] ?? 1) !== 1) return place.noLayer("it takes extents in steps");
  return vector(from.slice(one("starts", 1) ?? 0, Math.min(one("ends", 2) ?? from.length, from.length)));
};

const concat: LayerOperator = (place) => vector(place.operands.flatMap((_, n) => list(place, n)));

/** Arithmetic on shapes. */
export const arithmeticOnShapes: Readonly<Record<string, LayerOperator>> = {
  Gather: gather,
  Slice: slice,
  Concat: concat,
  Unsqueeze: (place) => vector(list(place, 0)),
  Squeeze: (place) => vector(list(place, 0), true),
  Cast: same,
  Identity: same,
  // Rounded when they are resolved.
  Floor: same,
  Mul: product(false),
  Div: product(true),
};

/** The shape of a value is no layer either. */
export const shapes: Readonly<Record<string, LayerOperator>> = { Shape: shape };
