import ts from "typescript";
import type { IsDslModule } from "./modules.js";
import { declaredBy, isTopLevel } from "./scopes.js";

/** The functions whose arrow arguments are quoted. */
export const quotingForms: ReadonlySet<string> = new Set(["tensor", "sum", "max", "min", "prod", "mean", "argmax", "fn"]);

/** What a file imports from the language, and what its names therefore mean. */
export interface Bindings {
  /** The specifier of the first such import; the run-time side of quoted code is imported from there too. */
  readonly specifier: string;
  /** Is this the name of a quoting form, directly or as a member of a namespace import? */
  isQuotingForm(callee: ts.Expression): boolean;
  /** Is this the name of `import * as name` of the language? */
  isNamespace(expression: ts.Expression): boolean;
  /** Is this the global `Math`? */
  isMath(expression: ts.Expression): boolean;
}

/** Reads the imports of a file; null when none of them can bring a quoting form. */
export const readBindings = (file: ts.SourceFile, modules: IsDslModule): Bindings | null => {
  const forms = new Set<string>();
  const namespaces = new Set<string>();
  let specifier: string | undefined;
  for (const statement of file.statements) {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) continue;
    const clause = statement.importClause;
    if (!clause?.namedBindings || clause.isTypeOnly) continue;
    if (!modules(statement.moduleSpecifier.text, file.fileName)) continue;
    specifier ??= statement.moduleSpecifier.text;
    if (ts.isNamespaceImport(clause.namedBindings)) namespaces.add(clause.namedBindings.name.text);
    else {
      for (const { name, propertyName, isTypeOnly } of clause.namedBindings.elements) {
        if (!isTypeOnly && quotingForms.has((propertyName ?? name).text)) forms.add(name.text);
      }
    }
  }
  if (specifier === undefined || forms.size + namespaces.size === 0) return null;

  const named = (expression: ts.Expression, names: ReadonlySet<string>): boolean =>
    ts.isIdentifier(expression) && names.has(expression.text) && isTopLevel(expression);
  const isNamespace = (expression: ts.Expression): boolean => named(bare(expression), namespaces);
  const mathNames: ReadonlySet<string> = new Set(declaredBy(file).has("Math") ? [] : ["Math"]);
  return {
    specifier,
    isNamespace,
    isMath: (expression) => named(bare(expression), mathNames),
    isQuotingForm: (callee) => {
      const f = bare(callee);
      return named(f, forms) || (ts.isPropertyAccessExpression(f) && quotingForms.has(f.name.text) && isNamespace(f.expression));
    },
  };
};

/** An expression without the parentheses and type syntax around it. */
export const bare = (node: ts.Expression): ts.Expression => {
  let inner = node;
  while (
    ts.isParenthesizedExpression(inner) ||
    ts.isAsExpression(inner) ||
    ts.isSatisfiesExpression(inner) ||
    ts.isTypeAssertionExpression(inner) ||
    ts.isNonNullExpression(inner)
  ) {
    inner = inner.expression;
  }
  return inner;
};
