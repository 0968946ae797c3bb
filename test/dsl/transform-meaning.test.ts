import { SourceMap } from "node:module";
import fc from "fast-check";
import { expect, test } from "vitest";
import { transformSource } from "../../src/dsl/transform/index.js";
import { plainRuntime, quotedModule } from "./quoted.js";

const scope = { limit: 3, table: [2, 0, -1, 5], object: { p: 4, twice: (x: number) => x * 2 }, none: undefined };
type Quoted = (a: number, b: number, c: number) => unknown;

/** Evaluates the text of an arrow function in `scope`, as ordinary JavaScript. */
const ordinary = (text: string): Quoted => new Function(...Object.keys(scope), `return (${text});`)(...Object.values(scope)) as Quoted;

/** Evaluates the same text after the transform, with the plain meaning of every lifted operator. */
const lifted = (text: string): Quoted => {
  const code = transformSource(quotedModule(text), "a.js")?.code ?? "";
  const body = code.replace(/^import .*$/gm, "").replace(/^(\/\* @__PURE__ \*\/ fn)/m, "return $1");
  const names = ["$site", "fn", ...Object.keys(scope)];
  return new Function(...names, body)(
    () => plainRuntime,
    (f: Quoted) => f,
    ...Object.values(scope),
  ) as Quoted;
};

const { expression } = fc.letrec<{ expression: string; operand: string }>((tie) => {
  const e = tie("expression");
  const operand = tie("operand");
  // Not `==` and `!=`: quoted code has one equality, the strict one.
  const operators = ["+", "-", "*", "/", "%", "<", "<=", ">", ">=", "===", "!==", "&", "|", "^", "<<", ">>", ">>>"];
  return {
    expression: fc.oneof(
      { depthSize: "medium", withCrossShrink: true },
      operand,
      // No parentheses around the two sides: precedence is part of the meaning.
      fc.tuple(e, fc.constantFrom(...operators), e).map(([a, op, b]) => `${a} ${op} ${b}`),
      fc.tuple(e, fc.constantFrom("&&", "||"), e).map(([a, op, b]) => `${a} ${op} ${b}`),
      fc.tuple(e, e, e).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
      fc.tuple(operand, operand).map(([a, b]) => `(${a}) ** (${b})`),
    ),
    operand: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.constantFrom("a", "b", "c", "0", "1", "2.5", "limit", "object.p", "table.length", "true"),
      e.map((x) => `(${x})`),
      fc.tuple(fc.constantFrom("-", "+", "!", "~", "typeof "), e).map(([op, x]) => `${op}(${x})`),
      e.map((x) => `Math.floor(${x})`),
      fc.tuple(e, e).map(([x, y]) => `Math.max(${x}, ...[${y}])`),
      e.map((x) => `table[${x}]`),
      e.map((x) => `object.twice(${x})`),
      e.map((x) => `table.map((t) => t + ${x}).reduce((s, t) => s - t, 0)`),
      e.map((x) => `((d, [e, f = ${x}] = [d]) => e * f)(${x})`),
      fc.tuple(e, e).map(([x, y]) => `(() => { const { q, r = q + 1 } = { q: ${x} }; return r + ${y}; })()`),
      e.map((x) => `(none ?? (${x}))`),
      e.map((x) => `(none?.p ?? { v: ${x} }.v)`),
      fc
        .tuple(fc.constantFrom("none", "null", "a"), fc.constantFrom("==", "!=", "===", "!=="), e)
        .map(([x, op, y]) => `(${x} ${op} undefined ? 1 : ${y})`),
      e.map((x) => `\`<\${${x}}>\`.length`),
    ),
  };
});

test("lifted code computes what the source says, for JavaScript's own meaning of every operator", () => {
  const value = fc.oneof(fc.integer({ min: -4, max: 4 }), fc.double());
  fc.assert(
    fc.property(expression, fc.array(fc.tuple(value, value, value), { minLength: 5, maxLength: 5 }), (text, points) => {
      const source = `(a, b, c) => ${text}`;
      const before = ordinary(source);
      const after = lifted(source);
      for (const point of points) expect(after(...point)).toEqual(before(...point));
    }),
    { numRuns: 300 },
  );
});

test("a right side that is not needed is not evaluated", () => {
  const source = "(a, b, c) => (a < 0 && none.x) || (a > 0 || none.x) && (a > 0 ? b : none.x)";
  expect(lifted(source)(1, 7, 0)).toBe(7);
});

/** Line and column (both from 1) in the original of the first occurrence of `text` in the output. */
const originOf = (source: string, text: string): [line: number, column: number, file: string] => {
  const result = transformSource(source, "src/deep/a.ts");
  if (!result) throw new Error("nothing quoted");
  const lines = result.code.split("\n");
  const line = lines.findIndex((l) => l.includes(text) && !l.includes("$site("));
  const entry = new SourceMap({ ...result.map, sourceRoot: "" }).findEntry(line, lines[line].indexOf(text));
  if (!("originalLine" in entry)) throw new Error(`${text} is not mapped`);
  return [entry.originalLine + 1, entry.originalColumn + 1, entry.originalSource];
};

test("every call of the output maps to the expression that it came from", () => {
  const source = [
    'import { type Volume, sum, tensor } from "indexical";', //
    "interface Options {",
    "  stride: number;",
    "}",
    "export const f = (x: Volume, { stride }: Options) => {",
    "  check(stride);",
    "  return tensor((n: number, d) =>",
    "    sum((c) =>",
    "      x(n, c,",
    "        stride * d) / Math.sqrt(stride)));",
    "};",
    "export const after: number = late();",
  ].join("\n");
  expect(originOf(source, "check(")).toEqual([6, 3, "a.ts"]);
  expect(originOf(source, "$q.lift((n")).toEqual([7, 17, "a.ts"]);
  expect(originOf(source, "$q.call(sum")).toEqual([8, 5, "a.ts"]);
  expect(originOf(source, "$q.lift((c")).toEqual([8, 9, "a.ts"]);
  expect(originOf(source, "$q.div(")).toEqual([9, 7, "a.ts"]);
  expect(originOf(source, "$q.mul(")).toEqual([10, 9, "a.ts"]);
  expect(originOf(source, "$q.math(")).toEqual([10, 23, "a.ts"]);
  expect(originOf(source, "late(")).toEqual([12, 30, "a.ts"]);
  expect(transformSource(source, "src/deep/a.ts")?.map.sourcesContent).toEqual([source]);
});
