import { expect, test } from "vitest";
import { IndexicalError } from "../../src/dsl/errors.js";
import { transformSource } from "../../src/dsl/transform/index.js";
import { quotedModule } from "./quoted.js";

const refusal = (source: string): IndexicalError => {
  try {
    transformSource(source, "a.ts");
  } catch (error) {
    if (error instanceof IndexicalError) return error;
    throw error;
  }
  throw new Error(`not refused: ${source}`);
};

const loop = "Write `sum((i) => ...)` (or `prod`, `max`, `min`) over an index, or `.map` and `.reduce` over a static array.";
const choice = "Write `condition ? a : b`.";
const early = "End the block with `return value;` and choose between values with `condition ? a : b`.";
const assign = "Bind the new value with `const`; accumulate with `sum((i) => ...)`.";
const outside = "Build the object outside the quoted function and close over it.";
const traced = "Check outside the quoted function: that code runs when the program is traced.";
const shape = "Quoted code is `const` bindings followed by one `return`.";
const arrow = "Write an arrow function: `(n, c) => ...`.";
const optional = "Choose outside the quoted function, or write `condition ? a : b`.";
const wait = "Await outside the quoted function and close over the value.";
const returns = "quoted code returns once, in its last statement";
const assigns = "quoted code cannot assign";
const variables = "quoted code has no variables: `let` and `var` cannot be lifted";

// In each quoted function `@` stands before the place that the refusal points to.
test.each([
  ["@function (a) { return a; }", "quote-function", "a `function` cannot be lifted", arrow],
  ["flag ? (a) => a : @function (a) { return a; }", "quote-function", "a `function` cannot be lifted", arrow],
  ["(a) => a.map(@function (b) { return b; })", "quote-function", "a `function` cannot be lifted", arrow],
  ["(a) => { @function f() {} return a; }", "quote-function", "a `function` cannot be lifted", arrow],
  ["(a) => { @class B {} return a; }", "quote-class", "a class cannot be lifted", "Declare it outside the quoted function."],
  ["(a) => [@class {}]", "quote-class", "a class cannot be lifted", "Declare it outside the quoted function."],
  ["(a) => { @if (a > 0) return a; return -a; }", "quote-if", "`if` cannot be lifted", choice],
  ["(a) => { @switch (a) {} return a; }", "quote-switch", "`switch` cannot be lifted", "Write `condition ? a : b`, nested for several cases."],
  ["(a) => { @for (let i = 0; i < 3; i++) {} return a; }", "quote-loop", "a loop cannot be lifted", loop],
  ["(a) => { @for (const b of a) {} return a; }", "quote-loop", "a loop cannot be lifted", loop],
  ["(a) => { @for (const b in a) {} return a; }", "quote-loop", "a loop cannot be lifted", loop],
  ["(a) => { @while (a) {} return a; }", "quote-loop", "a loop cannot be lifted", loop],
  ["(a) => { @do {} while (a); return a; }", "quote-loop", "a loop cannot be lifted", loop],
  ["(a) => { @try { } finally { } return a; }", "quote-try", "`try` cannot be lifted", traced],
  ["(a) => { @throw a; }", "quote-throw", "`throw` cannot be lifted", traced],
  ["(a) => { @let b = a; return b; }", "quote-let", variables, "Bind the value with `const`."],
  ["(a) => { @var b = a; return b; }", "quote-let", variables, "Bind the value with `const`."],
  ["(a) => { @using b = a; return b; }", "quote-let", variables, "Bind the value with `const`."],
  ["(a) => { b @= a; return b; }", "quote-assignment", assigns, assign],
  ["(a) => (b @+= a)", "quote-assignment", assigns, assign],
  ["(a) => (b @??= a)", "quote-assignment", assigns, assign],
  ["(a) => { @a++; return a; }", "quote-assignment", assigns, assign],
  ["(a) => @--a", "quote-assignment", assigns, assign],
  ["(a) => (a@, a)", "quote-comma", "the comma operator cannot be lifted", "Bind the values with `const`, one statement each."],
  ["@async (a) => a", "quote-await", "quoted code cannot wait", wait],
  ["(a) => @await a", "quote-await", "quoted code cannot wait", wait],
  ["(a) => @delete a.b", "quote-delete", "`delete` cannot be lifted", "Build the object outside the quoted function."],
  ["(a) => @void 0", "quote-void", "`void` cannot be lifted", "Write `undefined`."],
  ["(a) => a(@new B(a))", "quote-new", "`new` cannot be lifted", outside],
  ["(a) => a + @this.b", "quote-this", "`this` has no meaning in quoted code", "Bind what it holds with `const` outside the quoted function."],
  ["(a) => @import.meta.x", "quote-this", "`this` has no meaning in quoted code", "Bind what it holds with `const` outside the quoted function."],
  ["(a) => @tag`x${a}`", "quote-tag", "a tagged template cannot be lifted", "Compute it outside the quoted function and close over the value."],
  ["(a) => @a?.(1)", "quote-optional", "an optional call or element cannot be lifted", optional],
  ["(a) => @a?.b(1)", "quote-optional", "an optional call or element cannot be lifted", optional],
  ["(a) => @a?.[1]", "quote-optional", "an optional call or element cannot be lifted", optional],
  ["(a) => @Math.random()", "quote-random", "`Math.random` has no reproducible meaning", "Write `uniform(seed, ...indices)`."],
  ['(a) => @Math["random"]()', "quote-random", "`Math.random` has no reproducible meaning", "Write `uniform(seed, ...indices)`."],
  ["(a) => a.map(@Math.random)", "quote-random", "`Math.random` has no reproducible meaning", "Write `uniform(seed, ...indices)`."],
  ['(a) => @import("x")', "quote-import", "`import(...)` cannot be lifted", "Import the module at the top of the file."],
  [
    "(a) => ({ @b() { return a; } })",
    "quote-member",
    "an object in quoted code has plain properties only",
    "Write `name: value`, or `name: (i) => ...` for a function.",
  ],
  [
    "(a) => ({ @get b() { return a; } })",
    "quote-member",
    "an object in quoted code has plain properties only",
    "Write `name: value`, or `name: (i) => ...` for a function.",
  ],
  ["(a) => @{ }", "quote-return", returns, early],
  ["(a) => { @const b = a; }", "quote-return", returns, early],
  ["(a) => { @return; }", "quote-return", returns, early],
  ["(a) => { @return a; return a; }", "quote-return", returns, early],
  ["(a) => { @console.log(a); return a; }", "quote-statement", "this statement cannot be lifted", shape],
  ["(a) => { @{ } return a; }", "quote-statement", "this statement cannot be lifted", shape],
  ["(a) => { @debugger; return a; }", "quote-statement", "this statement cannot be lifted", shape],
  ["(a) => { @enum E {} return a; }", "quote-statement", "this statement cannot be lifted", shape],
  ["(a) => { @x: while (a) {} return a; }", "quote-statement", "this statement cannot be lifted", shape],
  ["(a = @new B()) => a", "quote-new", "`new` cannot be lifted", outside],
  [
    "(a) => { const { [@this.b]: c = 1 } = a; return c; }",
    "quote-this",
    "`this` has no meaning in quoted code",
    "Bind what it holds with `const` outside the quoted function.",
  ],
])("%s", (marked, code, message, remedy) => {
  const text = marked.replace("@", "");
  const line = `fn(${text});`;
  const column = marked.indexOf("@") + 4;
  const error = refusal(quotedModule(text));
  expect(error.message).toBe(`${message} [${code}]\n  at a.ts:2:${column}\n  2 | ${line}\n      ${" ".repeat(column - 1)}^\n  ${remedy}`);
  expect(error.code).toBe(code);
  expect(error.span).toEqual({ file: "a.ts", line: 2, column, text: line });
});

test.each([
  "const f = (a) => a; fn(@f);",
  "function f(a) { return a; } fn(@f);",
  "fn(@f); const f = function (a) { return a; };",
  "const g = () => { const f = (a) => a; return fn((@f)); };",
])("a function by its name: %s", (marked) => {
  const error = refusal(`import { fn } from "indexical";\n${marked.replace("@", "")}`);
  expect(error.message).toContain("a quoting form sees only the function that is written in its place [quote-name]\n  at a.ts:2:");
  expect(error.span?.column).toBe(marked.indexOf("@") + 1);
});

test.each([
  "const shape = [1]; fn(shape, (a) => a);",
  "const h = fn((a) => a); fn(h);",
  "const f = (a) => a; const g = (f) => fn(f);",
  "import { f } from './f.js'; fn(f);",
])("not a function that the file writes: %s", (text) => {
  expect(() => transformSource(`import { fn } from "indexical";\n${text}`, "a.ts")).not.toThrow();
});

test("JSX", () => {
  const source = 'import { fn } from "indexical";\nfn((a) => <b/>);';
  expect(() => transformSource(source, "a.tsx")).toThrow("JSX cannot be lifted [quote-jsx]\n  at a.tsx:2:11");
});

test("the same outside quoted code is ordinary code", () => {
  const source = 'import { fn } from "indexical";\nlet n = 0;\nfor (const f of [fn((a) => a)]) { if (f) n += Math.random(); }\n';
  expect(transformSource(source, "a.ts")?.code).toContain("n += Math.random()");
});

test("a file that does not parse: its syntax is the reason, not the `if`", () => {
  const error = refusal('import { fn } from "indexical";\nfn((a => { if (a) });');
  expect(error.message).toBe("Expression expected [syntax]\n  at a.ts:2:19\n  2 | fn((a => { if (a) });\n                        ^");
});

test("types in a JavaScript file", () => {
  expect(() => transformSource('import { fn } from "indexical";\nfn((a: number) => a);', "a.js")).toThrow(
    "Type annotations can only be used in TypeScript files [syntax]\n  at a.js:2:8",
  );
});
