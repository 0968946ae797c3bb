import { describe, expect, test } from "vitest";
import { transformSource } from "../../src/dsl/transform/index.js";
import { quoted, quotedBody } from "./quoted.js";

const code = (source: string, file = "src/a.ts"): string | null => transformSource(source, file)?.code ?? null;

describe("each construct of quoted code", () => {
  test.each([
    ["a + b - c", "$q.sub($q.add(a, b), c)"],
    ["a * b / c % 2", "$q.mod($q.div($q.mul(a, b), c), 2)"],
    ["a ** b ** 2", "$q.pow(a, $q.pow(b, 2))"],
    ["a < b", "$q.lt(a, b)"],
    ["a <= b", "$q.le(a, b)"],
    ["a > b", "$q.gt(a, b)"],
    ["a >= b", "$q.ge(a, b)"],
    ["a == b", "$q.eq(a, b)"],
    ["a === b", "$q.eq(a, b)"],
    ["a != b", "$q.ne(a, b)"],
    ["a !== b", "$q.ne(a, b)"],
    ["-a", "$q.neg(a)"],
    ["-1", "-1"],
    ["-(1)", "$q.neg((1))"],
    ["+a", "$q.plus(a)"],
    ["!a", "$q.not(a)"],
    ["~a", '$q.plain1("~", a)'],
    ["typeof a", '$q.plain1("typeof", a)'],
    ["a && b", "$q.and(a, () => b)"],
    ["a || b", "$q.or(a, () => b)"],
    ["a ?? b + 1", "a ?? $q.add(b, 1)"],
    ["a ? b : -c", "$q.select(a, () => b, () => $q.neg(c))"],
    ["a ? { b } : c", "$q.select(a, () => ({ b }), () => c)"],
    ["a & b | c", '$q.plain("|", $q.plain("&", a, b), c)'],
    ["a << 1 >>> b >> c", '$q.plain(">>", $q.plain(">>>", $q.plain("<<", a, 1), b), c)'],
    ["a in b", '$q.plain("in", a, b)'],
    ["a instanceof b", '$q.plain("instanceof", a, b)'],
    ["a(b, ...c)", "$q.call(a, [b, ...c])"],
    ["a(b)(c)", "$q.call($q.call(a, [b]), [c])"],
    ["(a as any)(b)", "$q.call(a, [b])"],
    ["a<number>(b)", "$q.call(a, [b])"],
    ["a.at(b)", '$q.method(a, "at", [b])'],
    ["a.b.at(c)", '$q.method(a.b, "at", [c])'],
    ['a["at"](b)', '$q.method(a, "at", [b])'],
    ["a[0](b)", "$q.call($q.element(a, 0), [b])"],
    ["a[b + 1]", "$q.element(a, $q.add(b, 1))"],
    ["a.b[c].d", "$q.element(a.b, c).d"],
    ["a?.b", "a?.b"],
    ["Math.sqrt(a)", '$q.math("sqrt", [a])'],
    ['Math["sqrt"](a)', '$q.math("sqrt", [a])'],
    ["Math.max(...a)", '$q.math("max", [...a])'],
    ["Math.PI * a", "$q.mul(Math.PI, a)"],
    ["ix.sum(a)", "$q.call(ix.sum, [a])"],
    ["sum((i) => a(i))", '$q.call(sum, [$q.lift((i) => $q.call(a, [i]), ["i"])])'],
    ["a.reduce((s, x) => s + x, 0)", '$q.method(a, "reduce", [$q.lift((s, x) => $q.add(s, x), ["s", "x"]), 0])'],
    ["[a + 1, , ...b]", "[$q.add(a, 1), , ...b]"],
    ["({ a, b: -b, [c + 1]: 2, ...c })", "({ a, b: $q.neg(b), [$q.add(c, 1)]: 2, ...c })"],
    ["`x${a + 1}y`", "`x${$q.add(a, 1)}y`"],
    ["(a + b) as number", "($q.add(a, b))"],
    ["(a satisfies number) + b!", "$q.add(a, b)"],
    ["/x/.source.length + a", "$q.add(/x/.source.length, a)"],
    ["true && a == null", "$q.and(true, () => a == null)"],
    ["undefined !== a(b)", "undefined !== $q.call(a, [b])"],
  ])("%s", (source, expected) => {
    expect(quotedBody(source)).toBe(expected);
  });

  test("a block: const bindings, destructuring with quoted defaults, one return", () => {
    expect(quotedBody("{ type T = number; const d: T = a + 1, [e, { f = b * 2 }] = c as any;; return d; }")).toMatchInlineSnapshot(
      `"{  const d = $q.add(a, 1), [e, { f = $q.mul(b, 2) }] = c; ; return d; }"`,
    );
  });

  test("parameters keep the text that the source gives them, without types", () => {
    expect(quoted("(n: number, o = 1 + 1, [a, b]: number[], { c }: { c: number }, ...rest: number[]) => n")).toBe(
      '$q.lift((n, o = $q.add(1, 1), [a, b], { c }, ...rest) => n, ["n", "o = 1 + 1", "[a, b]", "{ c }", "...rest"])',
    );
  });

  test("an arrow function behind parentheses, types or a choice is still an argument", () => {
    expect(quoted("((a) => -a) as Helper")).toBe('($q.lift((a) => $q.neg(a), ["a"]))');
    expect(quoted("flag < 1 ? (a) => -a : (b) => +b")).toBe('flag < 1 ? $q.lift((a) => $q.neg(a), ["a"]) : $q.lift((b) => $q.plus(b), ["b"])');
  });

  test("arrow functions inside quoted code are quoted too", () => {
    expect(quoted("(a) => (b) => { const f = (c) => c + b; return f(a); }")).toMatchInlineSnapshot(
      `"$q.lift((a) => $q.lift((b) => { const f = $q.lift((c) => $q.add(c, b), ["c"]); return $q.call(f, [a]); }, ["b"]), ["a"])"`,
    );
  });
});

describe("a whole file", () => {
  const source = `"use strict";
// A comment that stays.
import { type Volume, Kernel, sum, tensor } from "indexical";
import { shape } from "./shape.js";

export const dot = (x: Volume, w: Kernel, n: number) => {
  const extents = shape(x, n * 2);
  return tensor(extents, (i) =>
    sum((c) => x(i, c) * w(c)));
};
export const local = (tensor: Function) => tensor((i: number) => i + 1);
`;

  test("keeps ordinary code, types stripped, and lifts what is quoted", () => {
    expect(code(source)).toMatchInlineSnapshot(`
      ""use strict";
      import { site as $site } from "indexical";
      const $q = /* @__PURE__ */ $site("src/a.ts", { "8": "  return tensor(extents, (i) =>", "9": "    sum((c) => x(i, c) * w(c)));" });
      // A comment that stays.
      import { sum, tensor } from "indexical";
      import { shape } from "./shape.js";
      export const dot = (x, w, n) => {
          const extents = shape(x, n * 2);
          return /* @__PURE__ */ tensor(extents, /* @__PURE__ */ $q.lift((i) => $q.call(sum, [$q.lift((c) => $q.mul($q.call(x, [i, c], 589840), $q.call(w, [c], 589850), 589848), ["c"], 589833)], 589829), ["i"], 524314));
      };
      export const local = (tensor) => tensor((i) => i + 1);
      "
    `);
  });

  test("a place is line * 65536 + column: of the operator, of the method's name, else of the first character", () => {
    const result = code('import { fn } from "indexical";\n\n  fn((a) =>\n      a.at(1)\n\t+ Math.abs(a));');
    const at = (line: number, column: number): number => line * 65536 + column;
    expect(result).toContain(
      `fn(/* @__PURE__ */ $q.lift((a) => $q.add($q.method(a, "at", [1], ${at(4, 9)}), $q.math("abs", [a], ${at(5, 4)}), ${at(5, 2)}), ["a"], ${at(3, 6)}))`,
    );
  });

  test("is the same after a second transform", () => {
    expect(transformSource(code(source) ?? "", "src/a.js")).toBeNull();
  });

  test("strips types without quoted code only on request", () => {
    const plain = 'import { Volume } from "indexical";\nexport const x: number = 1;\n';
    expect(code(plain)).toBeNull();
    expect(transformSource(plain, "a.ts", { always: true })?.code).toBe("export const x = 1;\n");
    expect(transformSource(plain, "a.ts", { always: true })?.code).not.toContain("$q");
  });

  test("starts with the same #! line", () => {
    expect(code('#!/usr/bin/env node\nimport { fn } from "indexical";\nfn((a) => a);')).toMatch(/^#!\/usr\/bin\/env node\nimport \{ site/);
  });

  test("avoids names that the file uses", () => {
    const result = code('import { fn } from "indexical";\nconst $q = 1, $site = 2;\nfn((a) => a + $q);');
    expect(result).toContain('import { site as $site2 } from "indexical";\nconst $q2 = /* @__PURE__ */ $site2(');
    expect(result).toContain("$q2.add(a, $q,");
  });

  test("shows the name that it was given, and leaves generated lines out", () => {
    const long = `fn((a) => a + ${"1 + ".repeat(120)}1);`;
    const result = transformSource(`import { fn } from "indexical";\n${long}\nfn((b) => b);`, "/x/y/a.ts", { name: "y/a.ts" })?.code;
    expect(result).toContain('$site("y/a.ts", { "3": "fn((b) => b);" })');
  });

  test("keeps JSX, and turns it into calls on request", () => {
    const jsx = 'import { fn } from "indexical";\nexport const f = fn((a) => a), e = <b>{f}</b>;';
    expect(code(jsx, "a.tsx")).toContain("<b>{f}</b>");
    expect(transformSource(jsx, "a.jsx", { jsx: "react-jsx" })?.code).toContain('import { jsx as _jsx } from "react/jsx-runtime"');
  });

  test("JavaScript keeps every import; TypeScript drops those that only name types", () => {
    const source = 'import { fn, Unused } from "indexical";\nimport { other } from "./other.js";\nfn((a) => a);';
    expect(code(source, "a.mjs")).toContain('import { fn, Unused } from "indexical";\nimport { other } from "./other.js";');
    expect(code(source, "a.mts")).toContain('import { fn } from "indexical";\n/* @__PURE__ */ fn(');
  });
});

describe("which calls quote", () => {
  const lifts = (source: string, file?: string): boolean => code(source, file)?.includes("$q.lift(") ?? false;

  test.each([
    ["a renamed import", 'import { sum as total } from "indexical"; total((i) => i);'],
    ["a namespace", 'import * as ix from "indexical"; ix.argmax((i) => i);'],
    ["a namespace beside named imports", 'import { pad } from "indexical"; import * as ix from "indexical"; ix.tensor((i) => i);'],
    ["single quotes, no spaces", "import{max}from'indexical';max((i)=>i)"],
    ["parentheses and types", 'import { fn } from "indexical"; (fn as any)!((i) => i);'],
    ["an optional call", 'import { fn } from "indexical"; fn?.((i) => i);'],
    ["a type parameter of the same name", 'import { fn } from "indexical"; const f = <fn>(a: fn) => fn((i) => i);'],
    ["after an inner scope that shadows", 'import { fn } from "indexical"; { const fn = 1; } fn((i) => i);'],
    ["beside another function's parameter", 'import { fn } from "indexical"; const f = (fn) => 1; fn((i) => i);'],
  ])("%s", (_, source) => {
    expect(lifts(source)).toBe(true);
  });

  test.each([
    ["another module", 'import { fn } from "other"; fn((i) => i);'],
    ["a subpath", 'import { fn } from "indexical/lib"; fn((i) => i);'],
    ["a type import", 'import type { fn } from "indexical"; fn((i) => i);'],
    ["a type specifier", 'import { type fn, sum } from "indexical"; fn((i) => i);'],
    ["other functions of the language", 'import { fn, pad } from "indexical"; pad((i) => i);'],
    ["other members of a namespace", 'import * as ix from "indexical"; ix.pad((i) => i); other.fn((i) => i);'],
    ["text that only looks like an import", "const s = 'import { fn } from \"indexical\"'; fn((i) => i);"],
    ["not an arrow function", 'import { fn } from "indexical"; fn(helper, [(i) => i]);'],
    ["a parameter", 'import { fn } from "indexical"; const f = (fn) => fn((i) => i);'],
    ["a destructured parameter", 'import { fn } from "indexical"; function f({ a: [fn] }) { return fn((i) => i); }'],
    ["a block's const", 'import { fn } from "indexical"; { const { fn } = x; fn((i) => i); }'],
    ["a block's function", 'import { fn } from "indexical"; { fn((i) => i); function fn(f) {} }'],
    ["a block's class", 'import { fn } from "indexical"; { class fn {} fn((i) => i); }'],
    ["a hoisted var", 'import { fn } from "indexical"; function f() { fn((i) => i); { var fn = g; } }'],
    ["a loop variable", 'import { fn } from "indexical"; for (const fn of fns) fn((i) => i);'],
    ["a catch variable", 'import { fn } from "indexical"; try {} catch (fn) { fn((i) => i); }'],
    ["a function expression's own name", 'import { fn } from "indexical"; const g = function fn() { fn((i) => i); };'],
    ["a switch case's const", 'import { fn } from "indexical"; switch (x) { case 1: const fn = 1; default: fn((i) => i); }'],
  ])("not: %s", (_, source) => {
    expect(code(source)).toBeNull();
  });

  test("Math is the global one only", () => {
    expect(quotedBody("((Math) => Math.sqrt(a))(b)")).toContain('$q.method(Math, "sqrt", [a])');
    expect(code('import { fn } from "indexical"; import { Math } from "./m.js"; fn((a) => Math.sqrt(a));')).toContain('$q.method(Math, "sqrt"');
  });

  test("a relative import of dsl/index.js is the language, seen from the file that imports it", () => {
    const from = (specifier: string): string => `import { fn } from "${specifier}"; fn((i) => i);`;
    expect(lifts(from("../dsl/index.js"), "src/lib/a.ts")).toBe(true);
    expect(lifts(from("../../src/dsl/index.ts"), "test/x/a.ts")).toBe(true);
    expect(lifts(from("./index.js"), "src/dsl/a.ts")).toBe(true);
    expect(lifts(from("./index.js"), "src/lib/a.ts")).toBe(false);
    expect(lifts(from("other/dsl/index.js"), "src/lib/a.ts")).toBe(false);
  });

  test("an option names other modules", () => {
    const modules = (specifier: string): boolean => specifier === "#tensors";
    const result = transformSource('import { fn } from "#tensors"; fn((i) => i);', "a.ts", { modules })?.code;
    expect(result).toContain('import { site as $site } from "#tensors";');
  });
});
