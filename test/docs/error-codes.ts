import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("../../src/", import.meta.url));

/**
 * Every error code that the source text can throw: the first arguments of `new IndexicalError(...)` and of the functions that pass
 * their `code` on to it, and the keys of the transform's table of refusals. `unread` lists the places where a code is computed instead.
 */
export const errorCodes = (): { readonly codes: ReadonlySet<string>; readonly unread: readonly string[] } => {
  const files = readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => ts.createSourceFile(name, readFileSync(root + name, "utf8"), ts.ScriptTarget.ES2022, true));
  const codes = new Set<string>();
  const unread: string[] = [];
  for (const file of files) {
    const visit = (node: ts.Node): void => {
      if (ts.isNewExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === "IndexicalError") read(node.arguments?.[0], node);
      if (ts.isCallExpression(node) && passers.has(calledName(node))) read(node.arguments[0], node);
      if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.name.text === "refusals" && node.initializer) table(node.initializer);
      ts.forEachChild(node, visit);
    };
    const read = (argument: ts.Expression | undefined, at: ts.Node): void => {
      if (argument && ts.isStringLiteral(argument)) codes.add(argument.text);
      else if (argument && ts.isConditionalExpression(argument)) [argument.whenTrue, argument.whenFalse].forEach((a) => read(a, at));
      // A function that passes its own parameter on, and the table that is read as a whole.
      else if (!argument || !ts.isIdentifier(argument) || !["code", "refusal"].includes(argument.text))
        if (!(argument && ts.isCallExpression(argument))) unread.push(`${file.fileName}: ${at.getText().slice(0, 80)}`);
    };
    const table = (node: ts.Expression): void => {
      const object = ts.isSatisfiesExpression(node) || ts.isAsExpression(node) ? node.expression : node;
      if (ts.isSatisfiesExpression(object) || ts.isAsExpression(object)) return table(object);
      if (ts.isObjectLiteralExpression(object)) for (const p of object.properties) if (p.name && ts.isStringLiteral(p.name)) codes.add(p.name.text);
    };
    visit(file);
  }
  return { codes, unread };
};

/** The name of what is called, be it a method: `call.refuse`. */
const calledName = ({ expression }: ts.CallExpression): string => (ts.isIdentifier(expression) ? expression.text : ts.isPropertyAccessExpression(expression) ? expression.name.text : "");

const passers: ReadonlySet<string> = new Set(["refuse", "misused"]);
