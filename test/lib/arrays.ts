import fc from "fast-check";
import { constant, Evaluation, float64, nodeOf, sizeOf, type AnyTensor } from "../../src/dsl/index.js";

/** A dense array of plain numbers, for implementations that know nothing of the language. */
export interface Dense {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

export const flatOf = (shape: readonly number[], at: readonly number[]): number => at.reduce((flat, i, axis) => flat * shape[axis] + i, 0);

/** The element there, or `outside` where there is none. */
export const element = ({ shape, data }: Dense, at: readonly number[], outside = 0): number =>
  at.every((i, axis) => i >= 0 && i < shape[axis]) ? data[flatOf(shape, at)] : outside;

/** All places of a shape, row-major. */
export const places = (shape: readonly number[]): number[][] =>
  shape.reduce<number[][]>((all, n) => all.flatMap((at) => Array.from({ length: n }, (_, i) => [...at, i])), [[]]);

export const dense = (shape: readonly number[], f: (at: readonly number[]) => number): Dense => ({ shape, data: places(shape).map(f) });

/** Every element of a tensor of which everything is known. */
export const evaluated = (t: AnyTensor): Dense => ({ shape: t.shape, data: Array.from(new Evaluation(float64, () => []).all(nodeOf(t))) });

export const tensorOf = <T extends AnyTensor>({ shape, data }: Dense): T => constant<T>(data, shape);

/** Small integers, on which every order of adding is exact. */
export const integers = (shape: readonly number[]): fc.Arbitrary<Dense> =>
  fc.array(fc.integer({ min: -4, max: 4 }), { minLength: sizeOf(shape), maxLength: sizeOf(shape) }).map((data) => ({ shape, data }));

/** Fills arrays of the given shapes. */
export const filled = <K extends string>(shapes: Readonly<Record<K, readonly number[]>>): fc.Arbitrary<Record<K, Dense>> => {
  const names = Object.keys(shapes) as K[];
  return fc.tuple(...names.map((name) => integers(shapes[name]))).map((all) => Object.fromEntries(names.map((name, i) => [name, all[i]])) as Record<K, Dense>);
};
