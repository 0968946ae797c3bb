import { transformSource } from "../../src/dsl/transform/index.js";

/** A module whose last expression is `fn(<text>)`; the quoted function starts in line 2, column 4. */
export const quotedModule = (text: string): string => `import { fn, sum, tensor } from "indexical"; import * as ix from "indexical";\nfn(${text});\n`;

/** What `fn(text)` becomes, without `fn(...)` around it, the places and the hints for bundlers. */
export const quoted = (text: string): string => {
  const code = transformSource(quotedModule(text), "a.ts")?.code ?? "";
  const lifted = /^\/\* @__PURE__ \*\/ fn\(([\s\S]*)\);\n$/m.exec(code)?.[1] ?? code;
  return lifted.replace(/, \d{6,}\)/g, ")").replaceAll("/* @__PURE__ */ ", "");
};

/** The same for the body of `(a, b, c) => body`. */
export const quotedBody = (body: string): string => {
  const match = /^\$q\.lift\(\(a, b, c\) => ([\s\S]*), \["a", "b", "c"\]\)$/.exec(quoted(`(a, b, c) => ${body}`));
  return match?.[1] ?? "not lifted";
};

/** The plain JavaScript meaning of `$q`: what the lifted code computes on numbers when every operator is JavaScript's own. */
export const plainRuntime = {
  lift: <F>(f: F): F => f,
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number) => a * b,
  div: (a: number, b: number) => a / b,
  mod: (a: number, b: number) => a % b,
  pow: (a: number, b: number) => a ** b,
  lt: (a: number, b: number) => a < b,
  le: (a: number, b: number) => a <= b,
  gt: (a: number, b: number) => a > b,
  ge: (a: number, b: number) => a >= b,
  eq: (a: unknown, b: unknown) => a === b,
  ne: (a: unknown, b: unknown) => a !== b,
  neg: (a: number) => -a,
  plus: (a: number) => +a,
  not: (a: unknown) => !a,
  and: (a: unknown, b: () => unknown) => a && b(),
  or: (a: unknown, b: () => unknown) => a || b(),
  select: (c: unknown, a: () => unknown, b: () => unknown) => (c ? a() : b()),
  call: (f: (...args: unknown[]) => unknown, args: unknown[]) => f(...args),
  method: (object: Record<string, (...args: unknown[]) => unknown>, name: string, args: unknown[]) => object[name](...args),
  math: (name: "sqrt", args: [number]) => Math[name](...args),
  element: (a: Record<PropertyKey, unknown>, i: PropertyKey) => a[i],
  plain: (operator: string, a: number, b: number) => binary[operator](a, b),
  plain1: (operator: string, a: number) => (operator === "~" ? ~a : typeof a),
};

const binary: Record<string, (a: number, b: number) => unknown> = {
  "&": (a, b) => a & b,
  "|": (a, b) => a | b,
  "^": (a, b) => a ^ b,
  "<<": (a, b) => a << b,
  ">>": (a, b) => a >> b,
  ">>>": (a, b) => a >>> b,
};
