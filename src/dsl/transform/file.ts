import ts from "typescript";
import { bare, type Bindings } from "./bindings.js";
import { Quoter } from "./quote.js";
import { refuse } from "./refusals.js";
import { namesFunction } from "./scopes.js";
import type { Source } from "./source.js";

/**
 * Lifts every arrow function that stands as an argument of a quoting form, and gives the file
 * its `$q`. Returns the same file when it has none.
 */
export const quoteFile = (file: ts.SourceFile, context: ts.TransformationContext, bindings: Bindings, source: Source): ts.SourceFile => {
  const runtime = freshName("$q", file);
  const quoter = new Quoter(context, bindings, source, runtime);
  let depth = 0;

  const visit = (node: ts.Node): ts.Node => {
    if (!ts.isCallExpression(node) || !bindings.isQuotingForm(node.expression)) return ts.visitEachChild(node, visit, context);
    const argument = (child: ts.Node): ts.Node =>
      node.arguments.includes(child as ts.Expression) ? quoteArgument(child as ts.Expression) : visit(child);
    depth++;
    const call = ts.visitEachChild(node, argument, context);
    depth--;
    return depth === 0 && call !== node ? pure(call) : call;
  };

  /** Quotes an argument that is an arrow function, also behind parentheses, types or a choice. */
  const quoteArgument = (node: ts.Expression): ts.Node => {
    if (ts.isArrowFunction(node)) return pure(quoter.lift(node));
    if (ts.isFunctionExpression(node)) return refuse("quote-function", node, source);
    if (ts.isIdentifier(node) && namesFunction(node)) return refuse("quote-name", node, source);
    if (bare(node) !== node) return ts.visitEachChild(node, (child) => quoteArgument(child as ts.Expression), context);
    if (ts.isConditionalExpression(node)) {
      const { condition, questionToken, whenTrue, colonToken, whenFalse } = node;
      return context.factory.updateConditionalExpression(
        node,
        visit(condition) as ts.Expression,
        questionToken,
        quoteArgument(whenTrue) as ts.Expression,
        colonToken,
        quoteArgument(whenFalse) as ts.Expression,
      );
    }
    return visit(node);
  };

  const quoted = ts.visitEachChild(file, visit, context);
  if (quoted === file) return file;
  return withRuntime(quoted, context.factory, runtime, freshName("$site", file), bindings.specifier, source);
};

/** Adds `import { site as $site } from specifier; const $q = $site(name, lines);` before everything but directives. */
const withRuntime = (file: ts.SourceFile, f: ts.NodeFactory, runtime: string, site: string, specifier: string, source: Source): ts.SourceFile => {
  const imported = f.createImportSpecifier(false, f.createIdentifier("site"), f.createIdentifier(site));
  const importSite = f.createImportDeclaration(
    undefined,
    f.createImportClause(undefined, undefined, f.createNamedImports([imported])),
    f.createStringLiteral(specifier),
  );
  const lines = source.lines().map(([line, text]) => f.createPropertyAssignment(f.createStringLiteral(String(line)), f.createStringLiteral(text)));
  const create = f.createCallExpression(f.createIdentifier(site), undefined, [
    f.createStringLiteral(source.name),
    f.createObjectLiteralExpression(lines),
  ]);
  const declaration = f.createVariableDeclaration(runtime, undefined, undefined, pure(create));
  const declare = f.createVariableStatement(undefined, f.createVariableDeclarationList([declaration], ts.NodeFlags.Const));
  const first = file.statements.findIndex((statement) => !(ts.isExpressionStatement(statement) && ts.isStringLiteral(statement.expression)));
  const at = first < 0 ? file.statements.length : first;
  const statements = [...file.statements.slice(0, at), importSite, declare, ...file.statements.slice(at)];
  return f.updateSourceFile(file, ts.setTextRange(f.createNodeArray(statements), file.statements));
};

/** Lets bundlers drop a call whose value nobody uses: quoting has no effect but its value. */
const pure = <T extends ts.Node>(call: T): T => ts.addSyntheticLeadingComment(call, ts.SyntaxKind.MultiLineCommentTrivia, " @__PURE__ ");

/** `base`, or `base` with a number when the file already uses that name. */
const freshName = (base: string, file: ts.SourceFile): string => {
  let name = base;
  for (let n = 2; file.text.includes(name); n++) name = `${base}${n}`;
  return name;
};
