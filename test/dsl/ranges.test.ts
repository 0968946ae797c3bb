import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { input, nodeOf, sum, tensor, visitExpr, type Tensor } from "../../src/dsl/index.js";
import { runs } from "../support/runs.js";
import { counting, positions, refusal, runText } from "./program.js";

type Line = Tensor<[i: number]>;
type Plane = Tensor<[i: number, j: number]>;
const line = (n: number, name = "x"): Line => input<Line>(name, [n]);
const plane = (n: number, m: number, name = "x"): Plane => input<Plane>(name, [n, m]);

/** The extents of the indices of a definition: its own, then those of the sums inside it in the order of their names. */
const extents = (x: unknown): Record<string, number> => {
  const node = nodeOf(x);
  if (node.kind !== "definition") throw new Error("not a definition");
  const all = [...node.variables];
  visitExpr(node.body, (e) => {
    if (e.kind === "reduce") all.push(...e.variables);
  });
  return Object.fromEntries(all.map((v) => [v.name, v.extent!]));
};

describe("the fine print", () => {
  it("a bare index takes the dimension", () => {
    const x = plane(4, 7);
    expect(tensor((i, j) => x(i, j)).shape).toEqual([4, 7]);
    expect(tensor((j, i) => x(i, j)).shape).toEqual([7, 4]);
  });

  it("x(i) + x(i + 1) has N - 1 elements: the smallest bound of a round wins", () => {
    const x = line(8);
    expect(tensor((i) => x(i) + x(i + 1)).shape).toEqual([7]);
    expect(tensor((i) => x(i + 3) + x(i + 1)).shape).toEqual([5]);
  });

  it("i > 0 ? x(i - 1) : 0 has N + 1 elements: guards do not shape ranges", () => {
    const x = line(8);
    expect(tensor((i) => (i > 0 ? x(i - 1) : 0)).shape).toEqual([9]);
    expect(tensor([8], (i) => (i > 0 ? x(i - 1) : 0)).shape).toEqual([8]);
    expect(tensor((i) => (i < 3 ? x(i) : 0)).shape).toEqual([8]);
  });

  it("a negative coefficient: the bound comes from the low end", () => {
    const x = line(8);
    expect(tensor((i) => x(5 - i)).shape).toEqual([6]);
    expect(tensor((i) => x(7 - 2 * i)).shape).toEqual([4]);
    expect(tensor((i) => sum([3], (k) => x(9 - i - k))).shape).toEqual([8]);
  });

  it("the tensor and the sums inside it are one system, solved in rounds", () => {
    const x = line(11);
    const [w, u] = [line(3, "w"), line(2, "u")];
    const y = tensor((i) => sum((k) => x(2 * i + 3 * k) * sum((l) => u(l) * x(i + l)) * w(k)));
    // Round 1: k = 3, l = 2. Round 2: 2i + 6 <= 10 and i + 1 <= 10.
    expect(extents(y)).toEqual({ i: 3, k: 3, l: 2 });
  });

  it("bounds of a later round do not change an index that an earlier one settled", () => {
    const x = line(4);
    const w = line(3, "w");
    const y = tensor((i) => sum((k) => x(i) * w(k) * x(i + k)));
    expect(extents(y)).toEqual({ i: 4, k: 3 });
  });

  it("is the framework's formula for stride, dilation and padding", () => {
    for (const [n, k, s, r, p] of [[32, 3, 1, 1, 1], [32, 3, 2, 1, 1], [33, 5, 3, 2, 2], [7, 7, 1, 1, 0], [9, 1, 4, 3, 2]] as const) {
      const x = line(n + 2 * p);
      const w = line(k, "w");
      expect(tensor((i) => sum((t) => x(s * i + r * t) * w(t))).shape).toEqual([Math.floor((n + 2 * p - r * (k - 1) - 1) / s) + 1]);
    }
  });

  it("a bare index in dimensions of different extents is an error that names both", () => {
    const [x, y] = [line(4), line(5, "y")];
    const error = refusal(() => tensor((i) => x(i) * y(i)));
    expect(error.code).toBe("range-conflict");
    expect(error.message).toMatch(/^the index i runs over axis 0 \(extent 4\) of x at .*ranges\.test\.ts:\d+:\d+ and over axis 0 \(extent 5\) of y at .*, which differ/);
    expect(refusal(() => tensor((i) => sum((k) => x(k) + y(k) + x(i)))).code).toBe("range-conflict");
    const square = plane(3, 4);
    expect(refusal(() => tensor((i) => square(i, i))).code).toBe("range-conflict");
    // Not bare: no conflict.
    expect(tensor((i) => x(i) * y(i + 1)).shape).toEqual([4]);
    expect(tensor((i) => x(i + 0) * y(i + 2)).shape).toEqual([3]);
  });

  it("an extent that is given is not in conflict: it is a matter of the proof", () => {
    const [x, y] = [line(4), line(5, "y")];
    expect(tensor([4], (i) => x(i) * y(i)).shape).toEqual([4]);
    expect(tensor((i) => x(i) * sum([4], (k) => y(k))).shape).toEqual([4]);
  });

  it("no read to go by: an error that shows the explicit form", () => {
    const x = line(4);
    const error = refusal(() => tensor((i, _j) => x(i)));
    expect(error.code).toBe("range-unknown");
    expect(error.message).toContain("no read tells the range of the index _j");
    expect(error.remedy).toBe("Give the extents: tensor([extent of i, extent of _j], (i, _j) => ...).");
    expect(refusal(() => tensor((i) => x(i) * sum((k) => k))).message).toContain("no read tells the range of the index k");
    expect(refusal(() => tensor((i) => sum((_k) => x(i)))).remedy).toBe("Give the extents: sum([extent of _k], (_k) => ...).");
  });

  it("two unknowns in every read: an error that names them", () => {
    const x = line(4);
    const error = refusal(() => tensor((i) => sum((k) => x(i + k))));
    expect(error.code).toBe("range-ambiguous");
    expect(error.message).toContain("the ranges of i and k are both open in x(i + k)");
    expect(extents(tensor((i) => sum([2], (k) => x(i + k))))).toEqual({ i: 3, k: 2 });
    expect(extents(tensor([3], (i) => sum((k) => x(i + k))))).toEqual({ i: 3, k: 2 });
  });

  it("a negative extent is refused with the arithmetic, a zero one is fine", () => {
    const [x, w] = [line(4), line(6, "w")];
    const error = refusal(() => tensor((i) => sum((k) => x(i + k) * w(k))));
    expect(error.code).toBe("range-negative");
    expect(error.message).toContain("the index i would have -1 values: i + k must stay in [0, 4), axis 0 of x, for all k < 6");
    expect(tensor((i) => sum((k) => line(5)(i + k) * w(k))).shape).toEqual([0]);
    expect(refusal(() => tensor((i) => x(i + 5))).code).toBe("range-negative");
    expect(tensor((i) => x(i + 4)).shape).toEqual([0]);
  });

  it("zero and one extents", () => {
    const [empty, single] = [line(0), line(1)];
    expect(tensor((i) => empty(i)).shape).toEqual([0]);
    expect(tensor((i) => single(i)).shape).toEqual([1]);
    expect(extents(tensor((i) => single(i) + sum((k) => empty(k))))).toEqual({ i: 1, k: 0 });
    // N - K + 1 holds for K = 0 too.
    expect(extents(tensor((i) => sum((k) => line(4)(i + k) * empty(k))))).toEqual({ i: 5, k: 0 });
    expect(tensor((i) => single(2 * i)).shape).toEqual([1]);
  });

  it("indices chosen by ?: bound by each branch", () => {
    const x = line(10);
    expect(tensor((i) => x(i < 3 ? i : i + 2)).shape).toEqual([8]);
    expect(tensor((i) => x(i < 3 ? i : 0)).shape).toEqual([10]);
  });

  it("an index inside another read's index is bounded by the inner read", () => {
    const table = counting(5) as unknown as Line;
    const x = line(10);
    expect(tensor((i) => x(Math.min(Math.max(Math.floor(table(i)), 0), 9))).shape).toEqual([5]);
  });

  it("ranks 0 to 6, and no more", () => {
    const x = input<Tensor<[number, number, number, number, number, number]>>("x", [1, 2, 3, 2, 1, 2]);
    expect(tensor((a, b, c, d, e, f) => x(a, b, c, d, e, f)).shape).toEqual([1, 2, 3, 2, 1, 2]);
    expect(tensor(() => sum((a, b, c, d, e, f) => x(a, b, c, d, e, f))).shape).toEqual([]);
    expect(refusal(() => tensor((a, b, c, d, e, f, g) => x(a, b, c, d, e, f) + g)).code).toBe("shape-rank");
  });
});

describe("quasi-affine and piecewise reads", () => {
  const x = line(10);
  it.each([
    ["Math.floor(i / 2)", tensor((i) => x(Math.floor(i / 2))), 20],
    ["Math.floor(i / 3) + 1", tensor((i) => x(Math.floor(i / 3) + 1)), 27],
    ["9 - Math.floor(i / 2)", tensor((i) => x(9 - Math.floor(i / 2))), 20],
    ["2 * Math.floor(i / 2)", tensor((i) => x(2 * Math.floor(i / 2))), 10],
    ["Math.floor((3 * i + 1) / 2)", tensor((i) => x(Math.floor((3 * i + 1) / 2))), 7],
    ["Math.ceil(i / 2)", tensor((i) => x(Math.ceil(i / 2))), 19],
    ["Math.round(i / 4)", tensor((i) => x(Math.round(i / 4))), 38],
    ["i % 10 and i", tensor((i) => x(i % 10) + x(i)), 10],
    ["i % 12", tensor((i) => x(i % 12)), 10],
    ["Math.floor(i / 2) + Math.floor(i / 3)", tensor((i) => x(Math.floor(i / 2) + Math.floor(i / 3))), 12],
    ["the same, of many", tensor((i) => line(100_000)(Math.floor(i / 2) + Math.floor(i / 3))), 120_000],
    ["i + i % 2", tensor((i) => x(i + (i % 2))), 9],
    ["9 - i - i % 2", tensor((i) => x(9 - i - (i % 2))), 9],
    ["i - 1 + Math.floor(i / 2)", tensor((i) => x(i - 1 + Math.floor(i / 2))), 8],
    ["Math.abs(i - 5)", tensor((i) => x(Math.abs(i - 5))), 15],
    ["Math.abs(i - 2)", tensor((i) => x(Math.abs(i - 2))), 12],
    ["9 - Math.abs(9 - i)", tensor((i) => x(9 - Math.abs(9 - i))), 19],
    ["Math.max(i - 2, 0)", tensor((i) => x(Math.max(i - 2, 0))), 12],
    ["Math.min(i, 7) + Math.floor(i / 4)", tensor((i) => x(Math.min(i, 7) + Math.floor(i / 4))), 12],
    ["-(-i)", tensor((i) => x(-(-i))), 10],
  ])("%s", (_, y, extent) => {
    expect(y.shape).toEqual([extent]);
  });

  it("what never leaves bounds nothing", () => {
    for (const open of [
      () => tensor((i) => x(i % 10)),
      () => tensor((i) => x(Math.min(i, 9))),
      () => tensor((i) => x(Math.max(9 - i, 0))),
      () => tensor((i) => x(Math.min(Math.max(i - 3, 0), 9))),
      () => tensor((i) => x(9 - (i % 10))),
    ]) {
      const error = refusal(open);
      expect(error.code).toBe("range-ambiguous");
      expect(error.message).toContain("does not bound the index i");
    }
  });
});

const names = ["i", "j", "k", "l"] as const;
const origin = { i: 0, j: 0, k: 0, l: 0 };

/** An index of a read: `sum of coefficient * variable + constant`, with a part under a floor or a remainder. */
interface Index {
  readonly linear: readonly (readonly [variable: string, coefficient: number])[];
  readonly constant: number;
  readonly extra?: { readonly of: string; readonly times: number; readonly plus: number; readonly by: number; readonly op: "floor" | "mod"; readonly coefficient: number } | undefined;
}

const indexText = ({ linear, constant, extra }: Index): string =>
  [
    ...linear.map(([v, c]) => `${c} * ${v}`),
    ...(extra ? [`${extra.coefficient} * ${extra.op === "floor" ? `Math.floor((${extra.times} * ${extra.of} + ${extra.plus}) / ${extra.by})` : `((${extra.times} * ${extra.of} + ${extra.plus}) % ${extra.by})`}`] : []),
    constant,
  ].join(" + ");

const indexValue = ({ linear, constant, extra }: Index, at: Readonly<Record<string, number>>): number => {
  let value = linear.reduce((s, [v, c]) => s + c * at[v]!, constant);
  if (extra) {
    const inner = extra.times * at[extra.of]! + extra.plus;
    const quotient = Math.floor(inner / extra.by);
    value += extra.coefficient * (extra.op === "floor" ? quotient : inner - extra.by * quotient);
  }
  return value;
};

/** The variables that the value depends on: those of `2 * i % 2` are none. */
const variablesOf = (index: Index): readonly string[] => {
  const base = indexValue(index, origin);
  return names.filter((v) => positions([5]).some(([u]) => indexValue(index, { ...origin, [v]: u! }) !== base));
};

/** The variables that stand in the text. */
const mentioned = ({ linear, extra }: Index): ReadonlySet<string> => new Set([...linear.map(([v]) => v), ...(extra ? [extra.of] : [])]);

const isBare = (index: Index, v: string): boolean => positions([5]).every(([u]) => indexValue(index, { ...origin, [v]: u! }) === u);

/**
 * The largest extent of `v` by trying its values: the first at which some values of the others take the read out,
 * at the end towards which it moves in the long run. Undefined when it does not leave (or does not move and is out at once).
 */
const enumerated = (index: Index, v: string, known: Readonly<Record<string, number>>, extent: number): number | undefined => {
  const others = variablesOf(index).filter((u) => u !== v);
  const places = positions(others.map((u) => known[u]!)).map((p) => ({ ...origin, ...Object.fromEntries(others.map((o, i) => [o, p[i]!])) }));
  const values = (u: number): number[] => places.map((p) => indexValue(index, { ...p, [v]: u }));
  // Every floor and remainder repeats itself after 12.
  const trend = Math.sign(values(12)[0]! - values(0)[0]!);
  const out = (u: number): boolean => values(u).some((a) => (trend >= 0 && a >= extent) || (trend <= 0 && a < 0));
  const far = 80;
  let first = 0;
  while (first <= far && !out(first)) first++;
  if (first > far) return undefined;
  if (first > 0) return first;
  if (trend === 0) return undefined;
  for (let u = 0; u <= far; u++) if (!out(u)) return 0;
  while (out(first - 1)) first--;
  return first;
};

const coefficient = fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, fc.integer({ min: -3, max: 3 }).filter((c) => c !== 0));
const indexOver = (bound: readonly string[]): fc.Arbitrary<Index> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...bound).map((v): Index => ({ linear: [[v, 1]], constant: 0 })) },
    {
      weight: 3,
      arbitrary: fc.record({
        linear: fc.uniqueArray(fc.tuple(fc.constantFrom(...bound), coefficient), { selector: ([v]) => v, minLength: 1, maxLength: 2 }),
        constant: fc.integer({ min: -2, max: 4 }),
        extra: fc.constant(undefined),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        linear: fc.uniqueArray(fc.tuple(fc.constantFrom(...bound), coefficient), { selector: ([v]) => v, maxLength: 1 }),
        constant: fc.integer({ min: -2, max: 4 }),
        extra: fc.record({
          of: fc.constantFrom(...bound),
          times: fc.integer({ min: -2, max: 3 }).filter((c) => c !== 0),
          plus: fc.integer({ min: -2, max: 3 }),
          by: fc.integer({ min: 2, max: 4 }),
          op: fc.constantFrom("floor" as const, "mod" as const),
          coefficient: fc.constantFrom(1, 2, -1),
        }),
      }),
    },
  );

interface Reads {
  readonly shape: readonly number[];
  readonly indices: readonly Index[];
}

const readOver = (bound: readonly string[]): fc.Arbitrary<Reads> =>
  fc.integer({ min: 1, max: 2 }).chain((rank) =>
    fc.record({
      shape: fc.array(fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 2, max: 12 }) }, fc.constantFrom(0, 1)), { minLength: rank, maxLength: rank }),
      indices: fc.array(indexOver(bound), { minLength: rank, maxLength: rank }),
    }),
  );

const system = fc.record({
  outer: fc.array(readOver(["i", "j"]), { minLength: 1, maxLength: 2 }),
  middle: fc.array(readOver(["i", "j", "k"]), { minLength: 1, maxLength: 2 }),
  inner: fc.array(readOver(names), { minLength: 1, maxLength: 2 }),
  given: fc.record({ k: fc.option(fc.integer({ min: 1, max: 4 }), { freq: 1 }), l: fc.option(fc.integer({ min: 1, max: 4 })) }),
});

/** The rounds of the fine print, with every bound found by enumeration. Gives the extents, or the codes of the refusals that are due. */
const rounds = (reads: readonly Reads[], given: Readonly<Record<string, number>>): Record<string, number> | string[] | undefined => {
  const known: Record<string, number> = { ...given };
  const dependsOn = new Map(reads.flatMap((r) => r.indices.map((index) => [index, variablesOf(index)] as const)));
  for (;;) {
    const open = names.filter((v) => known[v] === undefined);
    if (open.length === 0) return known;
    const bounds = new Map<string, { extent: number; bare: boolean }[]>();
    for (const { shape, indices } of reads)
      indices.forEach((index, axis) => {
        const unknown = dependsOn.get(index)!.filter((v) => known[v] === undefined);
        if (unknown.length !== 1) return;
        const v = unknown[0]!;
        const extent = enumerated(index, v, known, shape[axis]!);
        if (extent !== undefined) bounds.set(v, [...(bounds.get(v) ?? []), { extent, bare: isBare(index, v) && mentioned(index).size === 1 }]);
      });
    if (bounds.size === 0) return open.map((v) => (reads.some((r) => r.indices.some((index) => dependsOn.get(index)!.includes(v))) ? "range-ambiguous" : "range-unknown"));
    const conflict = [...bounds.values()].some((list) => new Set(list.filter((b) => b.bare).map((b) => b.extent)).size > 1);
    const least = [...bounds].map(([v, list]) => [v, Math.min(...list.map((b) => b.extent))] as const);
    const negative = least.some(([, e]) => e < 0);
    if (conflict || negative) return [...(conflict ? ["range-conflict"] : []), ...(negative ? ["range-negative"] : [])];
    // Enumeration says nothing about what moves over an empty range.
    if (least.some(([, e]) => e === 0)) return undefined;
    for (const [v, extent] of least) known[v] = extent;
  }
};

describe("inference against enumeration", () => {
  it("gives the same extents, or the same refusal", () => {
    const outcomes = new Map<string, number>();
    fc.assert(
      fc.property(system, ({ outer, middle, inner, given }) => {
        const reads = [...outer, ...middle, ...inner];
        const fixed = Object.fromEntries(Object.entries(given).filter((e): e is [string, number] => e[1] !== null));
        const expected = rounds(reads, fixed);
        fc.pre(expected !== undefined);
        const tensors = Object.fromEntries(reads.map((r, n) => [`t${n}`, input(`t${n}`, r.shape)]));
        let n = 0;
        const text = (list: readonly Reads[]): string => list.map((r) => `t${n++}(${r.indices.map(indexText).join(", ")})`).join(" + ");
        const bind = (v: "k" | "l"): string => (fixed[v] === undefined ? `(${v})` : `[${fixed[v]}], (${v})`);
        const program = `tensor((i, j) => ${text(outer)} + sum(${bind("k")} => ${text(middle)} * sum(${bind("l")} => ${text(inner)})))`;
        const shapes = reads.map((r) => r.shape);
        if (Array.isArray(expected)) {
          const { code } = refusal(() => runText(program, tensors));
          expect({ program, shapes, code: expected.includes(code) ? "due" : code }).toEqual({ program, shapes, code: "due" });
        } else expect({ program, shapes, found: extents(runText(program, tensors)) }).toEqual({ program, shapes, found: expected });
        const kind = Array.isArray(expected) ? expected[0]! : "inferred";
        outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1);
      }),
      { numRuns: runs(300) },
    );
    // The property is about something.
    expect(outcomes.get("inferred")).toBeGreaterThan(20);
    expect(outcomes.get("range-conflict")).toBeGreaterThan(0);
    expect(outcomes.get("range-ambiguous")).toBeGreaterThan(0);
    expect(outcomes.get("range-negative")).toBeGreaterThan(0);
  });
});
