import ts from "typescript";
import { IndexicalError } from "../errors.js";
import type { Source } from "./source.js";

/** What quoted code cannot contain: the code of the refusal, what was met, and what to write instead. */
const refusals = {
  "quote-function": ["a `function` cannot be lifted", "Write an arrow function: `(n, c) => ...`."],
  "quote-name": [
    "a quoting form sees only the function that is written in its place",
    "Write the arrow function here, or make it a quoted helper: `const helper = fn((a) => ...)`, called as `(n, c) => helper(n)`.",
  ],
  "quote-class": ["a class cannot be lifted", "Declare it outside the quoted function."],
  "quote-if": ["`if` cannot be lifted", "Write `condition ? a : b`."],
  "quote-switch": ["`switch` cannot be lifted", "Write `condition ? a : b`, nested for several cases."],
  "quote-loop": [
    "a loop cannot be lifted",
    "Write `sum((i) => ...)` (or `prod`, `max`, `min`) over an index, or `.map` and `.reduce` over a static array.",
  ],
  "quote-try": ["`try` cannot be lifted", "Check outside the quoted function: that code runs when the program is traced."],
  "quote-throw": ["`throw` cannot be lifted", "Check outside the quoted function: that code runs when the program is traced."],
  "quote-let": ["quoted code has no variables: `let` and `var` cannot be lifted", "Bind the value with `const`."],
  "quote-assignment": ["quoted code cannot assign", "Bind the new value with `const`; accumulate with `sum((i) => ...)`."],
  "quote-comma": ["the comma operator cannot be lifted", "Bind the values with `const`, one statement each."],
  "quote-await": ["quoted code cannot wait", "Await outside the quoted function and close over the value."],
  "quote-delete": ["`delete` cannot be lifted", "Build the object outside the quoted function."],
  "quote-void": ["`void` cannot be lifted", "Write `undefined`."],
  "quote-new": ["`new` cannot be lifted", "Build the object outside the quoted function and close over it."],
  "quote-this": ["`this` has no meaning in quoted code", "Bind what it holds with `const` outside the quoted function."],
  "quote-tag": ["a tagged template cannot be lifted", "Compute it outside the quoted function and close over the value."],
  "quote-optional": ["an optional call or element cannot be lifted", "Choose outside the quoted function, or write `condition ? a : b`."],
  "quote-random": ["`Math.random` has no reproducible meaning", "Write `uniform(seed, ...indices)`."],
  "quote-import": ["`import(...)` cannot be lifted", "Import the module at the top of the file."],
  "quote-jsx": ["JSX cannot be lifted", "Build it outside the quoted function."],
  "quote-member": ["an object in quoted code has plain properties only", "Write `name: value`, or `name: (i) => ...` for a function."],
  "quote-return": [
    "quoted code returns once, in its last statement",
    "End the block with `return value;` and choose between values with `condition ? a : b`.",
  ],
  "quote-statement": ["this statement cannot be lifted", "Quoted code is `const` bindings followed by one `return`."],
} as const satisfies Record<string, readonly [message: string, remedy: string]>;

export type RefusalCode = keyof typeof refusals;

/** Refuses a piece of quoted code, with its place and the remedy. */
export const refuse = (code: RefusalCode, node: ts.Node, source: Source): never => {
  const [message, remedy] = refusals[code];
  throw new IndexicalError(code, message, { span: source.span(node), remedy });
};

/** The reason why an expression is never quoted code, for the kinds that never are. */
export const expressionRefusal = (node: ts.Expression): RefusalCode | undefined => {
  switch (node.kind) {
    case ts.SyntaxKind.FunctionExpression:
      return "quote-function";
    case ts.SyntaxKind.ClassExpression:
      return "quote-class";
    case ts.SyntaxKind.AwaitExpression:
    case ts.SyntaxKind.YieldExpression:
      return "quote-await";
    case ts.SyntaxKind.DeleteExpression:
      return "quote-delete";
    case ts.SyntaxKind.VoidExpression:
      return "quote-void";
    case ts.SyntaxKind.NewExpression:
      return "quote-new";
    case ts.SyntaxKind.ThisKeyword:
    case ts.SyntaxKind.SuperKeyword:
    case ts.SyntaxKind.MetaProperty:
      return "quote-this";
    case ts.SyntaxKind.TaggedTemplateExpression:
      return "quote-tag";
    case ts.SyntaxKind.ImportKeyword:
      return "quote-import";
    case ts.SyntaxKind.JsxElement:
    case ts.SyntaxKind.JsxSelfClosingElement:
    case ts.SyntaxKind.JsxFragment:
      return "quote-jsx";
    default:
      return undefined;
  }
};

/** The reason why a statement is never quoted code; the general one where there is no better. */
export const statementRefusal = (node: ts.Statement): RefusalCode => {
  switch (node.kind) {
    case ts.SyntaxKind.IfStatement:
      return "quote-if";
    case ts.SyntaxKind.SwitchStatement:
      return "quote-switch";
    case ts.SyntaxKind.ForStatement:
    case ts.SyntaxKind.ForInStatement:
    case ts.SyntaxKind.ForOfStatement:
    case ts.SyntaxKind.WhileStatement:
    case ts.SyntaxKind.DoStatement:
      return "quote-loop";
    case ts.SyntaxKind.TryStatement:
      return "quote-try";
    case ts.SyntaxKind.ThrowStatement:
      return "quote-throw";
    case ts.SyntaxKind.FunctionDeclaration:
      return "quote-function";
    case ts.SyntaxKind.ClassDeclaration:
      return "quote-class";
    default:
      return "quote-statement";
  }
};
