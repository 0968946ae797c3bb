import { cycleOf, extentOf, gcd, indexOf, integer, interval, negate, shift, substitute, type Affine, type Interval, type Variable } from "../dsl/index.js";
import type { Progression } from "./boxes.js";
import { always, and, conditionKey, hasTest, mapCondition, never, or } from "./conditions.js";
import type { Axis, Condition, Piece, Read, Value } from "./ir.js";
import { linearIn, variablesOf, visitValues } from "./values.js";

/** An axis of a piece, and the parts that its values fall into: in each of them a guard says something else. */
export interface Cut {
  readonly axis: Axis;
  readonly parts: readonly Part[];
  readonly guard: Condition;
}

export interface Part extends Progression {
  /** What the guard says in this part. */
  readonly says: Condition;
}

/**
 * Where a guard of a piece changes what it says. Ranges come first: residue classes scatter what a kernel writes.
 * @param reworded guards that said one thing and were put in other words already, by their keys
 */
export const findCut = (piece: Piece, reworded: Set<string>): Cut | undefined => {
  const own = new Map(piece.axes.map((a) => [a.variable, a]));
  let residues: Cut | undefined;
  for (const { condition, value } of guardsOf(piece.body)) {
    const all = comparisons(condition);
    const halos = halosOf(value);
    const cutting = all.filter((c) => c.kind !== "atLeast" || !halos.has(c.of.key) || failsForHalf(c.of, own));
    for (const axis of piece.axes) {
      const parts = rangesOf(axis.variable, condition, cutting, own);
      if (!parts) continue;
      const [{ says }] = parts as [Part];
      if (parts.length === 1 && says.kind !== "true" && says.kind !== "false") {
        // Once: simplification may have its own words for it.
        const key = `${axis.variable.id} ${conditionKey(condition)}`;
        if (reworded.has(key)) continue;
        reworded.add(key);
      }
      return { axis, parts, guard: condition };
    }
    for (const c of all) {
      const found = residues ? undefined : residuesOf(c.of, own);
      if (found) residues = { axis: found.axis, parts: found.parts.map((p) => ({ ...p, says: condition })), guard: condition };
    }
  }
  return residues;
};

/** The guards of a value, with what each guards. */
const guardsOf = (body: Value): readonly { condition: Condition; value: Value }[] => {
  const found: { condition: Condition; value: Value }[] = [];
  visitValues(body, (v) => {
    if (v.kind === "select" && !hasTest(v.condition)) found.push({ condition: v.condition, value: v.then });
    if (v.kind === "reduce" && v.where.kind !== "true") found.push({ condition: v.where, value: v.body });
  });
  return found;
};

type Comparison = Extract<Condition, { of: Affine }>;

/** The comparisons of indices in a condition. */
const comparisons = (c: Condition): readonly Comparison[] => (c.kind === "and" || c.kind === "or" ? c.all.flatMap(comparisons) : "of" in c && !hasTest(c) ? [c] : []);

/** Keys of what is not negative where a guard only keeps a read inside its source: a border, which costs more as a piece than as a test. */
const halosOf = (guarded: Value): ReadonlySet<string> => {
  const keys = new Set<string>();
  visitValues(guarded, (v) => {
    if (v.kind !== "read") return;
    const { shape } = (v as Read).source;
    v.indices.forEach((a, axis) => void keys.add(a.key).add(shift(negate(a), shape[axis]! - 1).key));
  });
  return keys;
};

/** Whether what should not be negative is so for half of the values of an axis or more: no border, but the end of one tensor beside another. */
const failsForHalf = (of: Affine, own: ReadonlyMap<Variable, Axis>): boolean => {
  const [term] = of.terms;
  if (!term || of.terms.length > 1 || term.atom.kind !== "variable" || !own.has(term.atom.variable)) return false;
  const n = extentOf(term.atom.variable);
  const holds = term.coefficient > 0 ? n - Math.ceil(-of.constant / term.coefficient) : Math.floor(of.constant / -term.coefficient) + 1;
  return 2 * Math.min(Math.max(holds, 0), n) <= n;
};

/** The most ranges that one guard cuts an index into. */
const mostRanges = 16;
/** The most values of an index that are compared, and that are put into an expression one by one. */
const mostCompared = 1 << 16;
const mostPut = 4096;

/**
 * The ranges in which a guard says the same about the other indices: that it holds, that it fails, or what is left of it. Undefined
 * when it says what it said before, or changes too often. A quotient of the index counts when its ranges are two long or more on average.
 */
const rangesOf = (v: Variable, guard: Condition, cutting: readonly Comparison[], own: ReadonlyMap<Variable, Axis>): readonly Part[] | undefined => {
  const n = extentOf(v);
  if (n < 2 || n > mostCompared) return undefined;
  const known = cutting.filter((c) => variablesOf(c.of).has(v));
  if (known.length === 0) return undefined;
  const divided = new Set(known.filter((c) => isDivided(c.of, v)));
  const plain = known.filter((c) => !divided.has(c) && ![...variablesOf(c.of)].some((w) => w !== v && own.has(w)));
  if (divided.size > 0 && n <= mostPut) {
    const parts = ranges(n, guard, [...plain, ...divided].map((c) => [c, divided.has(c) ? remains(c, v) : truth(c, v)]));
    if (parts && parts.length * 2 <= n) return parts;
  }
  return plain.length > 0 ? ranges(n, guard, plain.map((c) => [c, truth(c, v)])) : undefined;
};

/** Whether the index stands in a quotient. */
const isDivided = (a: Affine, v: Variable): boolean =>
  a.terms.some(({ atom }) => (atom.kind === "floor" ? variablesOf(atom.of).has(v) : atom.kind === "min" || atom.kind === "max" ? atom.of.some((b) => isDivided(b, v)) : false));

/** What a comparison says for each value of an index. */
type Said = (k: number) => Condition;

const ranges = (n: number, guard: Condition, said: readonly (readonly [Comparison, Said])[]): readonly Part[] | undefined => {
  const whole = new Map<string, Condition>();
  const starts: { start: number; says: Condition }[] = [];
  for (let k = 0; k < n; k++) {
    const now = new Map<Condition, Condition>(said.map(([c, of]) => [c, of(k)]));
    const each = [...now.values()].map(conditionKey).join(" ");
    // The guard as a whole may say the same where its parts don't.
    let says = whole.get(each);
    if (!says) whole.set(each, (says = put(guard, now)));
    const before = starts.at(-1)?.says;
    if (before && conditionKey(before) === conditionKey(says)) continue;
    if (starts.push({ start: k, says }) > mostRanges) return undefined;
  }
  if (starts.length === 1 && conditionKey(starts[0]!.says) === conditionKey(guard)) return undefined;
  return starts.map(({ start, says }, r) => ({ start, step: 1, count: (starts[r + 1]?.start ?? n) - start, says }));
};

/** A guard with other comparisons in it. */
const put = (c: Condition, now: ReadonlyMap<Condition, Condition>): Condition => {
  if (c.kind === "and") return and(...c.all.map((d) => put(d, now)));
  if (c.kind === "or") return or(...c.all.map((d) => put(d, now)));
  return now.get(c) ?? c;
};

/** Always, never, or the comparison itself. */
const truth = (c: Comparison, v: Variable): Said => {
  const decided = ({ low, high }: Interval): Condition => {
    if (c.kind === "atLeast") return low >= 0 ? always : high < 0 ? never : c;
    const zero = low > 0 || high < 0 ? never : low === high ? always : c;
    return c.kind === "equal" || zero === c ? zero : zero === always ? never : always;
  };
  const linear = linearIn(c.of, v);
  if (!linear) return (k) => decided(interval(at(c.of, v, k)));
  const { low, high } = interval(linear.rest);
  return (k) => decided({ low: low + linear.step * k, high: high + linear.step * k });
};

/** What is left of a comparison when the index has a value. */
const remains = (c: Comparison, v: Variable): Said => {
  const cycle = cycleOf(c.of, indexOf(v).terms[0]!.atom.key);
  const period = cycle?.step === 0 ? cycle.period : Infinity;
  const known = new Map<number, Condition>();
  return (k) => {
    const r = k % period;
    let left = known.get(r);
    if (!left) known.set(r, (left = mapCondition(c, (a) => at(a, v, r), (w) => w)));
    return left;
  };
};

const at = (a: Affine, v: Variable, k: number): Affine => substitute(a, (w) => (w === v ? integer(k) : undefined));

/** The most residue classes of one cut. */
const mostResidues = 16;

/** A quotient in which an index of the piece has no whole multiple: the index falls into residue classes. */
const residuesOf = (of: Affine, own: ReadonlyMap<Variable, Axis>): { readonly axis: Axis; readonly parts: readonly Progression[] } | undefined => {
  for (const { atom } of of.terms) {
    const inner = atom.kind === "min" || atom.kind === "max" ? atom.of : atom.kind === "floor" ? [atom.of] : [];
    if (atom.kind === "floor") {
      for (const t of atom.of.terms) {
        const axis = t.atom.kind === "variable" ? own.get(t.atom.variable) : undefined;
        if (!axis) continue;
        const k = atom.by / gcd(atom.by, t.coefficient);
        const n = extentOf(axis.variable);
        if (k <= 1 || k > mostResidues || n === 1) continue;
        return { axis, parts: Array.from({ length: Math.min(k, n) }, (_, r) => ({ start: r, step: k, count: Math.ceil((n - r) / k) })) };
      }
    }
    for (const a of inner) {
      const found = residuesOf(a, own);
      if (found) return found;
    }
  }
  return undefined;
};
