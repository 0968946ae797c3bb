import ts from "typescript";
import { bare, type Bindings } from "./bindings.js";
import { expressionRefusal, refuse, statementRefusal } from "./refusals.js";
import type { Source } from "./source.js";

const K = ts.SyntaxKind;

/** Operators that are lifted, and the run-time function that each becomes. */
const lifted: ReadonlyMap<ts.SyntaxKind, string> = new Map([
  [K.PlusToken, "add"],
  [K.MinusToken, "sub"],
  [K.AsteriskToken, "mul"],
  [K.SlashToken, "div"],
  [K.PercentToken, "mod"],
  [K.AsteriskAsteriskToken, "pow"],
  [K.LessThanToken, "lt"],
  [K.LessThanEqualsToken, "le"],
  [K.GreaterThanToken, "gt"],
  [K.GreaterThanEqualsToken, "ge"],
  [K.EqualsEqualsToken, "eq"],
  [K.EqualsEqualsEqualsToken, "eq"],
  [K.ExclamationEqualsToken, "ne"],
  [K.ExclamationEqualsEqualsToken, "ne"],
]);

const equalities: ReadonlySet<ts.SyntaxKind> = new Set([
  K.EqualsEqualsToken,
  K.EqualsEqualsEqualsToken,
  K.ExclamationEqualsToken,
  K.ExclamationEqualsEqualsToken,
]);

const liftedUnary: ReadonlyMap<ts.SyntaxKind, string> = new Map([
  [K.MinusToken, "neg"],
  [K.PlusToken, "plus"],
  [K.ExclamationToken, "not"],
]);

/**
 * Rewrites quoted code into calls on the run-time side of quoting, `$q`: on plain numbers these
 * calls are JavaScript's operators, on symbolic values they build expressions. Every call ends
 * with its place in the original source. What cannot be lifted is refused.
 */
export class Quoter {
  readonly #f: ts.NodeFactory;
  readonly #context: ts.TransformationContext;
  readonly #bindings: Bindings;
  readonly #source: Source;
  readonly #runtime: string;

  constructor(context: ts.TransformationContext, bindings: Bindings, source: Source, runtime: string) {
    this.#f = context.factory;
    this.#context = context;
    this.#bindings = bindings;
    this.#source = source;
    this.#runtime = runtime;
  }

  /** `$q.lift(arrow, ["n", "c"], at)` for an arrow function of quoted code. */
  lift(arrow: ts.ArrowFunction): ts.Expression {
    const async = arrow.modifiers?.find(({ kind }) => kind === K.AsyncKeyword);
    if (async) refuse("quote-await", async, this.#source);
    this.#source.keep(arrow);
    const f = this.#f;
    const names = arrow.parameters.map((parameter) => f.createStringLiteral(parameterName(parameter)));
    const body = ts.isBlock(arrow.body) ? this.#block(arrow.body) : this.#expression(arrow.body);
    const parameters = this.#list(arrow.parameters, (parameter) => this.#patterns(parameter));
    const { modifiers, typeParameters, type, equalsGreaterThanToken } = arrow;
    const quoted = f.updateArrowFunction(arrow, modifiers, typeParameters, parameters, type, equalsGreaterThanToken, body);
    return this.#call("lift", [quoted, f.createArrayLiteralExpression(names)], arrow);
  }

  readonly #quoteNode = (node: ts.Node): ts.Node => this.#expression(node as ts.Expression);

  #expression(node: ts.Expression): ts.Expression {
    const f = this.#f;
    const refusal = expressionRefusal(node);
    if (refusal) refuse(refusal, node, this.#source);
    if (ts.isArrowFunction(node)) return this.lift(node);
    if (ts.isBinaryExpression(node)) return this.#binary(node);
    if (ts.isPrefixUnaryExpression(node)) return this.#prefix(node);
    if (ts.isPostfixUnaryExpression(node)) return refuse("quote-assignment", node, this.#source);
    if (ts.isTypeOfExpression(node)) return this.#call("plain1", [f.createStringLiteral("typeof"), this.#expression(node.expression)], node);
    if (ts.isConditionalExpression(node)) {
      return this.#call("select", [this.#expression(node.condition), this.#later(node.whenTrue), this.#later(node.whenFalse)], node);
    }
    if (ts.isCallExpression(node)) return this.#callExpression(node);
    if (ts.isElementAccessExpression(node)) return this.#element(node);
    if (ts.isPropertyAccessExpression(node)) {
      this.#checkRandom(node, node.name.text);
      return ts.visitEachChild(node, (child) => (child === node.expression ? this.#quoteNode(child) : child), this.#context);
    }
    if (ts.isObjectLiteralExpression(node)) {
      return f.updateObjectLiteralExpression(
        node,
        this.#list(node.properties, (property) => this.#property(property)),
      );
    }
    if (ts.isTemplateExpression(node)) {
      const spans = this.#list(node.templateSpans, (span) => f.updateTemplateSpan(span, this.#expression(span.expression), span.literal));
      return f.updateTemplateExpression(node, node.head, spans);
    }
    if (ts.isParenthesizedExpression(node) || ts.isArrayLiteralExpression(node) || ts.isSpreadElement(node)) {
      return ts.visitEachChild(node, this.#quoteNode, this.#context);
    }
    if (ts.isAsExpression(node) || ts.isSatisfiesExpression(node) || ts.isNonNullExpression(node) || ts.isTypeAssertionExpression(node)) {
      return ts.visitEachChild(node, (child) => (child === node.expression ? this.#quoteNode(child) : child), this.#context);
    }
    if (ts.isExpressionWithTypeArguments(node)) return this.#expression(node.expression);
    return node;
  }

  #binary(node: ts.BinaryExpression): ts.Expression {
    const { left, operatorToken, right } = node;
    const operator = operatorToken.kind;
    if (operator === K.CommaToken) refuse("quote-comma", operatorToken, this.#source);
    if (operator >= K.FirstAssignment && operator <= K.LastAssignment) refuse("quote-assignment", operatorToken, this.#source);
    const a = this.#expression(left);
    if (operator === K.AmpersandAmpersandToken) return this.#call("and", [a, this.#later(right)], node, operatorToken);
    if (operator === K.BarBarToken) return this.#call("or", [a, this.#later(right)], node, operatorToken);
    const b = this.#expression(right);
    // A symbolic value is never null or undefined: these ask about static values, and JavaScript's answer is right.
    if (operator === K.QuestionQuestionToken || (equalities.has(operator) && (isNothing(left) || isNothing(right))))
      return this.#f.updateBinaryExpression(node, a, operatorToken, b);
    const name = lifted.get(operator);
    if (name) return this.#call(name, [a, b], node, operatorToken);
    return this.#call("plain", [this.#f.createStringLiteral(operatorToken.getText()), a, b], node, operatorToken);
  }

  #prefix(node: ts.PrefixUnaryExpression): ts.Expression {
    const { operator, operand } = node;
    if (operator === K.PlusPlusToken || operator === K.MinusMinusToken) refuse("quote-assignment", node, this.#source);
    if (operator === K.MinusToken && ts.isNumericLiteral(operand)) return node;
    const a = this.#expression(operand);
    const name = liftedUnary.get(operator);
    if (name) return this.#call(name, [a], node);
    return this.#call("plain1", [this.#f.createStringLiteral(ts.tokenToString(operator) ?? ""), a], node);
  }

  #callExpression(node: ts.CallExpression): ts.Expression {
    if (ts.isOptionalChain(node)) refuse("quote-optional", node, this.#source);
    const args = this.#f.createArrayLiteralExpression(node.arguments.map((argument) => this.#expression(argument)));
    const callee = bare(node.expression);
    const member = memberOf(callee);
    if (member && !this.#bindings.isNamespace(member.object)) {
      const { object, name, place } = member;
      this.#checkRandom(callee, name);
      const property = this.#f.createStringLiteral(name);
      if (this.#bindings.isMath(object)) return this.#call("math", [property, args], node);
      if (ts.isOptionalChain(callee)) refuse("quote-optional", callee, this.#source);
      return this.#call("method", [this.#expression(object), property, args], node, place);
    }
    return this.#call("call", [this.#expression(node.expression), args], node);
  }

  #element(node: ts.ElementAccessExpression): ts.Expression {
    if (ts.isOptionalChain(node)) refuse("quote-optional", node, this.#source);
    const { expression, argumentExpression } = node;
    if (ts.isStringLiteralLike(argumentExpression)) this.#checkRandom(node, argumentExpression.text);
    return this.#call("element", [this.#expression(expression), this.#expression(argumentExpression)], node);
  }

  #checkRandom(node: ts.Expression, name: string): void {
    if (name === "random" && (ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node)) && this.#bindings.isMath(node.expression)) {
      refuse("quote-random", node, this.#source);
    }
  }

  #property(property: ts.ObjectLiteralElementLike): ts.ObjectLiteralElementLike {
    const f = this.#f;
    if (ts.isPropertyAssignment(property)) {
      return f.updatePropertyAssignment(property, this.#propertyName(property.name), this.#expression(property.initializer));
    }
    if (ts.isSpreadAssignment(property)) return f.updateSpreadAssignment(property, this.#expression(property.expression));
    if (ts.isShorthandPropertyAssignment(property)) return property;
    return refuse("quote-member", property, this.#source);
  }

  #propertyName(name: ts.PropertyName): ts.PropertyName {
    return ts.isComputedPropertyName(name) ? this.#f.updateComputedPropertyName(name, this.#expression(name.expression)) : name;
  }

  /** `const` bindings, then one `return`. */
  #block(block: ts.Block): ts.Block {
    const statements = block.statements.filter((statement) => !ts.isEmptyStatement(statement) && !isTypeOnly(statement));
    const last = statements.at(-1);
    for (const statement of statements) {
      if (ts.isReturnStatement(statement) ? statement !== last || !statement.expression : !ts.isVariableStatement(statement)) {
        this.#refuseStatement(statement);
      }
    }
    if (!last || !ts.isReturnStatement(last)) return refuse("quote-return", last ?? block, this.#source);
    return this.#f.updateBlock(
      block,
      this.#list(block.statements, (statement) => this.#statement(statement)),
    );
  }

  #statement(statement: ts.Statement): ts.Statement {
    const f = this.#f;
    if (ts.isReturnStatement(statement)) return f.updateReturnStatement(statement, statement.expression && this.#expression(statement.expression));
    if (!ts.isVariableStatement(statement)) return statement;
    const { declarationList, modifiers } = statement;
    if ((declarationList.flags & ts.NodeFlags.BlockScoped) !== ts.NodeFlags.Const) refuse("quote-let", statement, this.#source);
    const declarations = this.#list(declarationList.declarations, (declaration) => this.#patterns(declaration));
    return f.updateVariableStatement(statement, modifiers, f.updateVariableDeclarationList(declarationList, declarations));
  }

  #refuseStatement(statement: ts.Statement): never {
    if (ts.isReturnStatement(statement)) return refuse("quote-return", statement, this.#source);
    // The expression itself may have the better reason: `i += 1;` is an assignment.
    if (ts.isExpressionStatement(statement)) this.#expression(statement.expression);
    return refuse(statementRefusal(statement), statement, this.#source);
  }

  /** Quotes the initializers inside a parameter, a declaration or a binding pattern, and leaves the names. */
  #patterns<T extends ts.Node>(node: T): T {
    const visit = (child: ts.Node): ts.Node => {
      if (ts.isBindingElement(child) || ts.isObjectBindingPattern(child) || ts.isArrayBindingPattern(child)) return this.#patterns(child);
      if (ts.isComputedPropertyName(child)) return this.#propertyName(child);
      return "initializer" in node && child === node.initializer ? this.#quoteNode(child) : child;
    };
    return ts.visitEachChild(node, visit, this.#context);
  }

  #list<T extends ts.Node>(nodes: ts.NodeArray<T>, map: (node: T) => T): ts.NodeArray<T> {
    return ts.setTextRange(this.#f.createNodeArray(nodes.map(map), nodes.hasTrailingComma), nodes);
  }

  /** `() => node`: evaluated only when its value is wanted. */
  #later(node: ts.Expression): ts.Expression {
    return this.#f.createArrowFunction(undefined, undefined, [], undefined, undefined, this.#expression(node));
  }

  /** `$q.name(...args, at)`; `place` is the token that messages point to. */
  #call(name: string, args: readonly ts.Expression[], node: ts.Node, place: ts.Node = node): ts.Expression {
    const f = this.#f;
    const target = f.createPropertyAccessExpression(f.createIdentifier(this.#runtime), name);
    const call = f.createCallExpression(target, undefined, [...args, f.createNumericLiteral(this.#source.at(place))]);
    return ts.setSourceMapRange(call, node);
  }
}

/** The object and the static name of `object.name` and `object["name"]`. */
const memberOf = (callee: ts.Expression): { object: ts.Expression; name: string; place: ts.Node } | undefined => {
  if (ts.isPropertyAccessExpression(callee)) return { object: callee.expression, name: callee.name.text, place: callee.name };
  if (ts.isElementAccessExpression(callee) && ts.isStringLiteralLike(callee.argumentExpression)) {
    return { object: callee.expression, name: callee.argumentExpression.text, place: callee.argumentExpression };
  }
  return undefined;
};

const isNothing = (node: ts.Expression): boolean => node.kind === K.NullKeyword || (ts.isIdentifier(node) && node.text === "undefined");

/** The name of a parameter as the source spells it, without its type. */
const parameterName = ({ dotDotDotToken, name, initializer }: ts.ParameterDeclaration): string =>
  `${dotDotDotToken ? "..." : ""}${name.getText()}${initializer ? ` = ${initializer.getText()}` : ""}`;

const isTypeOnly = (statement: ts.Statement): boolean => ts.isTypeAliasDeclaration(statement) || ts.isInterfaceDeclaration(statement);
