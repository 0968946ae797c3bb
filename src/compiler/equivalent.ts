import { float64, sizeOf, type AnyTensor } from "../dsl/index.js";
import { lowbias32 } from "../dsl/special.js";
import { Canonical } from "./canonical.js";
import { describeCounterexample, differ, shrink, tolerance, type Counterexample } from "./counterexample.js";
import { degreeOf, type Degree } from "./degree.js";
import { Pole, PrimeField, primes, Undecidable } from "./field.js";
import { Pair, type Inputs, type PairOutput } from "./pair.js";
import { runPasses } from "./passes.js";
import { trace, type ProgramOutput, type Shapes, type Traced } from "./trace.js";

export interface EquivalentOptions {
  /** Random points in each of two prime fields; chosen by the error bound when left out. */
  readonly points?: number | undefined;
  /** Of the random points: the same seed gives the same answer. 1 by default. */
  readonly seed?: number | undefined;
  /** About how many steps one evaluation may take; where all elements would take more, some are picked. 30 million, a third of a second, by default. */
  readonly steps?: number | undefined;
}

/** What is known about two programs over the same inputs. */
export interface Equivalence {
  /**
   * `proved`: the same normal form. `agrees`: the same at random points, `method` says of what. `differs`: other names, other shapes,
   * or a counterexample.
   */
  readonly verdict: "proved" | "agrees" | "differs";
  readonly method: "normal form" | "prime field" | "float64" | "shapes";
  /** `prime field`: the probability that different programs agree at all points that were tried is at most this. */
  readonly bound?: number;
  /** `float64`: the largest difference seen, relative to the largest number of its output. */
  readonly difference?: number;
  /** Output elements that were compared, and how many there are. */
  readonly compared?: { readonly elements: number; readonly of: number };
  readonly counterexample?: Counterexample;
  readonly message: string;
}

/**
 * Whether two programs over the same inputs are the same function: by their normal forms, otherwise at random points of two prime fields,
 * where a program that only adds, multiplies and divides is decided without rounding (Schwartz-Zippel); functions such as exp and max stand for
 * unknown functions there. Where that decides nothing (comparisons of data, infinities) float64 does, and the message says so.
 * Fractions are compared as fractions: `x / x` agrees with 1.
 * @throws what tracing and the proofs of reads throw.
 */
export const equivalent = <I extends { readonly [K in keyof I]: AnyTensor }>(
  f: (inputs: I) => ProgramOutput,
  g: (inputs: I) => ProgramOutput,
  shapes: { readonly [K in keyof I]: readonly number[] },
  options: EquivalentOptions = {},
): Equivalence => compareTraced(trace(f as (inputs: never) => ProgramOutput, shapes as Shapes), trace(g as (inputs: never) => ProgramOutput, shapes as Shapes), options);

/** The same for programs that were traced already, over inputs of the same names. */
export const compareTraced = (f: Traced, g: Traced, options: EquivalentOptions = {}): Equivalence => {
  const other = differentShapes(f, g);
  if (other) return { verdict: "differs", method: "shapes", message: `differs: ${other}` };
  const canonical = new Canonical();
  const specialised = [runPasses(f), runPasses(g)];
  const [first, second] = specialised.map((p) => canonical.program(p));
  if (first === second) return { verdict: "proved", method: "normal form", message: "proved: both programs have the same normal form" };

  const random = generator(options.seed ?? 1);
  const steps = options.steps ?? 3e7;
  const pair = new Pair(f, g, specialised, steps, random);
  const exact = inFields(pair, options, random);
  if (exact.kind === "same") {
    const { bound } = exact;
    const assuming = exact.unknown ? "; functions such as exp and max were taken as unknown functions" : "";
    return {
      verdict: "agrees",
      method: "prime field",
      bound,
      compared: pair.compared,
      message: `agrees at ${exact.points} random points of prime fields${elements(pair)}: ${bound > 0.01 ? "the degree is too high for a useful bound of the error" : `different programs would do so${pair.compared.elements === pair.compared.of ? "" : " there"} with a probability of at most ${bound.toPrecision(2)}`}${assuming}`,
    };
  }
  return inFloat(pair, exact, random, steps);
};

const differentShapes = (f: Traced, g: Traced): string | undefined => {
  const list = (names: readonly string[]): string => names.join(", ");
  const [a, b] = [f.outputs.map((o) => o.name), g.outputs.map((o) => o.name)];
  if (list([...a].sort()) !== list([...b].sort())) return `the first gives ${list(a)}, the second ${list(b)}`;
  for (const { name, node } of f.outputs) {
    const other = g.outputs.find((o) => o.name === name)!.node;
    if (list(node.shape.map(String)) !== list(other.shape.map(String))) return `${name} has shape [${list(node.shape.map(String))}] in the first and [${list(other.shape.map(String))}] in the second`;
  }
  return undefined;
};

/** A counter-based generator: `random(n)` is an integer in [0, n). */
const generator = (seed: number): ((n: number) => number) => {
  let count = 0;
  const key = lowbias32(seed ^ 0x9e3779b9);
  const word = (): number => lowbias32(key ^ lowbias32(++count));
  return (n) => (word() * 2 ** 20 + (word() >>> 12)) % n;
};

const elements = (pair: Pair): string => {
  const { elements: some, of } = pair.compared;
  return some === of ? "" : `, in ${some} of ${of} output elements`;
};

type InFields =
  | { readonly kind: "same"; readonly points: number; readonly bound: number; readonly unknown: boolean }
  /** Different as fractions; certainly so when there are no unknown functions. */
  | { readonly kind: "different"; readonly certain: boolean }
  | { readonly kind: "undecided"; readonly why: string };

/** The most points of one field, and how often another point is tried when a divisor is zero. */
const mostPoints = 6;
const mostTries = 20;
/** The bound that is aimed at when the number of points is not given. */
const enough = 1e-12;

const inFields = (pair: Pair, options: EquivalentOptions, random: (n: number) => number): InFields => {
  const degrees = pair.outputs.map((o) => ({ a: degreeOf(o.nodes[0]), b: degreeOf(o.nodes[1]) }));
  const unknown = degrees.some(({ a, b }) => a.unknown + b.unknown > 0);
  const miss = (prime: number): number => Math.min(1, Math.max(0, ...degrees.map(({ a, b }) => missed(a, b))) / prime);
  let bound = 1;
  let points = 0;
  const rounds = options.points ?? mostPoints;
  try {
    for (let round = 0; round < rounds; round++) {
      if (options.points === undefined && round > 0 && (bound <= enough || miss(primes[0]) === 1)) break;
      for (const prime of primes) {
        if (!sameAtPoint(pair, prime, random)) return { kind: "different", certain: !unknown };
        points++;
        bound *= miss(prime);
      }
    }
  } catch (error) {
    if (error instanceof Undecidable || error instanceof Pole) return { kind: "undecided", why: error.message };
    throw error;
  }
  return { kind: "same", points, bound, unknown };
};

/**
 * Times the prime, the chance that an element that differs is equal at a random point: the degree of the difference, and
 * for each two arguments of unknown functions that of their difference.
 */
const missed = (a: Degree, b: Degree): number => {
  const unknown = a.unknown + b.unknown;
  const pairs = (unknown * (unknown - 1)) / 2;
  return Math.max(a.above + b.below, b.above + a.below) + (pairs > 0 ? pairs * 2 * Math.max(a.inner, b.inner) : 0);
};

const sameAtPoint = (pair: Pair, prime: number, random: (n: number) => number): boolean => {
  for (let tries = 0; ; tries++) {
    const field = new PrimeField(prime, random(2 ** 32));
    const inputs = inputsOf(pair, () => random(prime));
    try {
      return pair.evaluate(field, inputs).every(({ first, second }) => firstIndex(first, (v, k) => v !== second[k]) < 0);
    } catch (error) {
      if (!(error instanceof Pole) || tries === mostTries) throw error;
    }
  }
};

const inputsOf = (pair: Pair, value: () => number): Record<string, Float64Array> =>
  Object.fromEntries(
    pair.inputs.map(({ name, shape }) => {
      const data = new Float64Array(sizeOf(shape));
      for (let i = 0; i < data.length; i++) data[i] = value();
      return [name, data];
    }),
  );

const firstIndex = (values: ArrayLike<number>, test: (v: number, k: number) => boolean): number => {
  for (let k = 0; k < values.length; k++) if (test(values[k]!, k)) return k;
  return -1;
};

/** Rounds over the kinds of points in float64: as many as are cheap. */
const mostRounds = 16;

/** Inputs that are looked at in float64: one small integer everywhere, small integers with zeros and ties, and real numbers of several sizes. */
function* floatPoints(pair: Pair, random: (n: number) => number, steps: number): Generator<Inputs> {
  const real = (low: number, high: number) => (): number => low + ((high - low) * random(2 ** 40)) / 2 ** 40;
  const whole = (size: number) => (): number => random(2 * size + 1) - size;
  const rounds = Math.max(1, Math.min(mostRounds, Math.floor(steps / pair.steps)));
  for (let round = 0; round < rounds; round++) {
    const kinds = [() => round, whole(1), whole(3), whole(8), whole(20), real(-2, 2), real(-1, 1), real(0.1, 3), real(-30, 30)];
    for (const value of kinds) yield inputsOf(pair, value);
  }
}

const inFloat = (pair: Pair, exact: Exclude<InFields, { kind: "same" }>, random: (n: number) => number, steps: number): Equivalence => {
  let difference = 0;
  for (const inputs of floatPoints(pair, random, steps)) {
    for (const { output, first, second } of pair.evaluate(float64, inputs)) {
      const scale = largest(first, largest(second, 1));
      const k = firstIndex(first, (v, i) => differ(v, second[i]!, scale));
      if (k >= 0) return counterexample(pair, output, output.positions?.[k] ?? k, inputs, exact);
      for (let i = 0; i < first.length; i++) if (first[i] !== second[i]) difference = Math.max(difference, Math.abs(first[i]! - second[i]!) / scale || 0);
    }
  }
  const why =
    exact.kind === "undecided"
      ? `no prime field decides it (${exact.why})`
      : exact.certain
        ? "as exact fractions they differ, which rounded constants such as 1/3 explain"
        : "with functions such as exp and max taken as unknown functions they differ";
  return {
    verdict: "agrees",
    method: "float64",
    difference,
    compared: pair.compared,
    message: `agrees numerically only${elements(pair)}: ${why}; in float64 ${difference === 0 ? "no difference was seen" : `the largest relative difference was ${difference.toPrecision(2)} (${tolerance} would count as different)`}`,
  };
};

const largest = (values: ArrayLike<number>, least: number): number => {
  let most = least;
  for (let k = 0; k < values.length; k++) if (Number.isFinite(values[k]) && Math.abs(values[k]!) > most) most = Math.abs(values[k]!);
  return most;
};

const counterexample = (pair: Pair, output: PairOutput, position: number, inputs: Inputs, exact: InFields): Equivalence => {
  const found = shrink(pair, output, position, inputs);
  return { verdict: "differs", method: exact.kind === "different" && exact.certain ? "prime field" : "float64", counterexample: found, message: `differs: ${describeCounterexample(found)}` };
};
