import { float64, sizeOf } from "../dsl/index.js";
import { effortOf } from "./degree.js";
import { unflatten, type Inputs, type Pair, type PairOutput } from "./pair.js";

/** An element that two programs disagree on. All inputs that are not listed are zero. */
export interface Counterexample {
  readonly output: string;
  readonly index: readonly number[];
  /** The element by the first and by the second program, in float64. */
  readonly first: number;
  readonly second: number;
  readonly inputs: readonly { readonly name: string; readonly index: readonly number[]; readonly value: number }[];
}

/** Relative difference below which two float64 results may be the same number computed in another order. */
export const tolerance = 1e-9;

/** Different beyond rounding; NaN equals NaN. */
export const differ = (a: number, b: number, scale = Math.max(1, Math.abs(a), Math.abs(b))): boolean =>
  Number.isNaN(a) || Number.isNaN(b) ? Number.isNaN(a) !== Number.isNaN(b) : a !== b && !(Math.abs(a - b) <= tolerance * scale);

/** Steps that are spent on making a counterexample small. */
const mostSteps = 4e7;

/**
 * Makes a disagreement at one element small: inputs become zero as long as the programs still disagree there, until none can,
 * and the rest become small integers where those do as well.
 */
export const shrink = (pair: Pair, output: PairOutput, position: number, inputs: Inputs): Counterexample => {
  const effort = output.nodes.reduce((n, node) => n + effortOf(node).element, 0);
  let trials = Math.max(64, mostSteps / effort);
  const current = new Map(pair.inputs.map(({ name }) => [name, Float64Array.from(inputs[name]!)]));
  const values = (): readonly [number, number] => pair.element(float64, output, position, Object.fromEntries(current));
  const wrong = (): boolean => trials-- > 0 && differ(...values());

  const places = touched(pair, output, position, Object.fromEntries(current));
  const only = new Map(pair.inputs.map(({ name, shape }) => [name, new Float64Array(sizeOf(shape))]));
  for (const { name, at } of places) only.get(name)![at] = current.get(name)![at]!;
  // Where zeros lead to other elements, nothing can be left out at once.
  const kept = differ(...pair.element(float64, output, position, Object.fromEntries(only)));
  if (kept) for (const [name, data] of only) current.set(name, data);

  const set = (list: readonly Place[], value: (p: Place, old: number) => number): boolean => {
    const before = list.map((p) => current.get(p.name)![p.at]!);
    list.forEach((p, k) => (current.get(p.name)![p.at] = value(p, before[k]!)));
    if (wrong()) return true;
    list.forEach((p, k) => (current.get(p.name)![p.at] = before[k]!));
    return false;
  };
  // Last ones first, so that what is left stands at the beginning.
  const nonzero = (): Place[] => places.filter((p) => current.get(p.name)![p.at] !== 0);

  for (let left = nonzero().reverse(), again = true; again && trials > 0; ) {
    again = false;
    for (let size = left.length; size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
      for (let k = 0; k < left.length && trials > 0; ) {
        const chunk = left.slice(k, k + size);
        if (set(chunk, () => 0)) {
          left = [...left.slice(0, k), ...left.slice(k + size)];
          again = true;
        } else k += size;
      }
  }
  for (const p of nonzero()) {
    const old = current.get(p.name)![p.at]!;
    const simpler = [1, -1, 2, -2, Math.round(old)].filter((n) => n !== 0 && Math.abs(n) <= Math.max(1, Math.abs(old)));
    simpler.some((n) => n === old || set([p], () => n));
  }

  const [first, second] = values();
  const shapes = new Map(pair.inputs.map((i) => [i.name, i.shape]));
  return {
    output: output.name,
    index: unflatten(position, output.shape),
    first,
    second,
    inputs: nonzero().map((p) => ({ name: p.name, index: unflatten(p.at, shapes.get(p.name)!), value: current.get(p.name)![p.at]! })),
  };
};

interface Place {
  readonly name: string;
  readonly at: number;
}

/** The input elements that one element of the output is computed from. */
const touched = (pair: Pair, output: PairOutput, position: number, inputs: Inputs): readonly Place[] => {
  const places = new Map<string, Place>();
  const watched = Object.fromEntries(
    pair.inputs.map(({ name }) => [
      name,
      new Proxy(inputs[name]!, {
        get: (data, key) => {
          const at = Number(key);
          if (typeof key === "string" && Number.isInteger(at)) places.set(`${name} ${at}`, { name, at });
          return data[key as unknown as number];
        },
      }),
    ]),
  );
  pair.element(float64, output, position, watched);
  const order = new Map(pair.inputs.map(({ name }, k) => [name, k]));
  return [...places.values()].sort((p, q) => order.get(p.name)! - order.get(q.name)! || p.at - q.at);
};

/** `output[0, 2] is 1 in the first and 0 in the second, where x[1] = 1 and all other inputs are 0` */
export const describeCounterexample = (c: Counterexample): string => {
  const shown = c.inputs.slice(0, 12).map((i) => `${i.name}[${i.index.join(", ")}] = ${i.value}`);
  if (c.inputs.length > shown.length) shown.push(`${c.inputs.length - shown.length} more`);
  const where = shown.length === 0 ? "all inputs are 0" : `${shown.join(", ")} and all other inputs are 0`;
  return `${c.output}[${c.index.join(", ")}] is ${c.first} in the first and ${c.second} in the second, where ${where}`;
};
