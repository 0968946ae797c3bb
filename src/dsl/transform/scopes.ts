import ts from "typescript";

const cache = new WeakMap<ts.Node, ReadonlySet<string>>();

/**
 * Does `identifier` mean what the top level of its file gives that name?
 * False when a parameter or a declaration in a scope between takes the name.
 */
export const isTopLevel = (identifier: ts.Identifier): boolean => {
  for (let scope: ts.Node = identifier.parent; !ts.isSourceFile(scope); scope = scope.parent) {
    if (declaredBy(scope).has(identifier.text)) return false;
  }
  return true;
};

/** Is `identifier` the name of a function that its file defines (`const f = () => ...`, `function f() ...`)? */
export const namesFunction = (identifier: ts.Identifier): boolean => {
  const name = identifier.text;
  let scope: ts.Node = identifier.parent;
  while (!ts.isSourceFile(scope) && !declaredBy(scope).has(name)) scope = scope.parent;
  const statements = ts.isSourceFile(scope) || ts.isBlock(scope) || ts.isModuleBlock(scope) ? scope.statements : [];
  return statements.some((statement) => {
    if (ts.isFunctionDeclaration(statement)) return statement.name?.text === name;
    if (!ts.isVariableStatement(statement)) return false;
    return statement.declarationList.declarations.some(
      ({ name: declared, initializer }) =>
        initializer && ts.isIdentifier(declared) && declared.text === name && (ts.isArrowFunction(initializer) || ts.isFunctionExpression(initializer)),
    );
  });
};

/** The values that a scope itself declares (not its inner scopes); empty for nodes that are no scope. */
export const declaredBy = (scope: ts.Node): ReadonlySet<string> => {
  const known = cache.get(scope);
  if (known) return known;
  const names = new Set<string>();
  collect(scope, names);
  cache.set(scope, names);
  return names;
};

const collect = (scope: ts.Node, names: Set<string>): void => {
  if (ts.isFunctionLike(scope)) {
    for (const parameter of scope.parameters) bind(parameter.name, names);
    if (ts.isFunctionExpression(scope) && scope.name) names.add(scope.name.text);
    if ("body" in scope && scope.body) hoisted(scope.body, names);
  } else if (ts.isBlock(scope) || ts.isModuleBlock(scope) || ts.isSourceFile(scope)) {
    lexical(scope.statements, names);
    if (!ts.isBlock(scope)) hoisted(scope, names);
  } else if (ts.isCaseBlock(scope)) {
    for (const clause of scope.clauses) lexical(clause.statements, names);
  } else if (ts.isForStatement(scope) || ts.isForInStatement(scope) || ts.isForOfStatement(scope)) {
    if (scope.initializer && ts.isVariableDeclarationList(scope.initializer)) bindList(scope.initializer, names);
  } else if (ts.isCatchClause(scope)) {
    if (scope.variableDeclaration) bind(scope.variableDeclaration.name, names);
  } else if (ts.isClassExpression(scope) && scope.name) names.add(scope.name.text);
};

const lexical = (statements: readonly ts.Statement[], names: Set<string>): void => {
  for (const statement of statements) {
    if (ts.isVariableStatement(statement)) bindList(statement.declarationList, names);
    else if (ts.isImportDeclaration(statement)) bindImport(statement, names);
    else if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement) || ts.isEnumDeclaration(statement)) {
      if (statement.name) names.add(statement.name.text);
    } else if (ts.isModuleDeclaration(statement) && ts.isIdentifier(statement.name)) names.add(statement.name.text);
  }
};

/** `var` declarations belong to the function around them, however deep they stand. */
const hoisted = (node: ts.Node, names: Set<string>): void => {
  ts.forEachChild(node, (child) => {
    if (ts.isFunctionLike(child) || ts.isClassLike(child)) return;
    if (ts.isVariableDeclarationList(child) && (child.flags & ts.NodeFlags.BlockScoped) === 0) bindList(child, names);
    hoisted(child, names);
  });
};

const bindList = (list: ts.VariableDeclarationList, names: Set<string>): void => {
  for (const declaration of list.declarations) bind(declaration.name, names);
};

const bind = (name: ts.BindingName, names: Set<string>): void => {
  if (ts.isIdentifier(name)) names.add(name.text);
  else {
    for (const element of name.elements) {
      if (ts.isBindingElement(element)) bind(element.name, names);
    }
  }
};

const bindImport = ({ importClause }: ts.ImportDeclaration, names: Set<string>): void => {
  if (importClause?.name) names.add(importClause.name.text);
  const bindings = importClause?.namedBindings;
  if (!bindings) return;
  if (ts.isNamespaceImport(bindings)) names.add(bindings.name.text);
  else for (const element of bindings.elements) names.add(element.name.text);
};
