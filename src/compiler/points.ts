import { evaluateAffine, extentOf, type Variable } from "../dsl/index.js";
import { always, conjuncts, hasTest, not } from "./conditions.js";
import type { Condition } from "./ir.js";
import { variablesOfCondition } from "./values.js";

/** The most combinations of index values that are tried for one condition. */
const most = 1 << 18;

/** How many values of the indices satisfy a condition. Not exact, but an upper bound, where it depends on data or is too large to try. */
export interface Points {
  readonly count: number;
  readonly exact: boolean;
}

export const volume = (variables: readonly Variable[]): number => variables.reduce((n, v) => n * extentOf(v), 1);

/** Counts the values of `variables` for which the condition holds. */
export const points = (variables: readonly Variable[], c: Condition): Points => {
  const all = volume(variables);
  if (c.kind === "true") return { count: all, exact: true };
  if (c.kind === "false" || all === 0) return { count: 0, exact: true };
  if (c.kind === "or") {
    const outside = points(variables, not(c));
    return outside.exact ? { count: all - outside.count, exact: true } : { count: all, exact: false };
  }
  // Conditions without a common index are independent of each other.
  let share = 1;
  let exact = true;
  for (const group of related(conjuncts(c))) {
    const total = volume(group.variables);
    if (total > most || group.conditions.some(hasTest)) exact = false;
    else share *= tried(group.variables, group.conditions) / total;
  }
  return { count: Math.round(all * share), exact };
};

interface Group {
  readonly conditions: readonly Condition[];
  readonly variables: readonly Variable[];
}

const related = (conditions: readonly Condition[]): readonly Group[] => {
  let groups: Group[] = [];
  for (const c of conditions) {
    const mine = [...variablesOfCondition(c)];
    const near = groups.filter((g) => g.variables.some((v) => mine.includes(v)));
    const joined = { conditions: [...near.flatMap((g) => g.conditions), c], variables: [...new Set([...near.flatMap((g) => g.variables), ...mine])] };
    groups = [...groups.filter((g) => !near.includes(g)), joined];
  }
  return groups;
};

const tried = (variables: readonly Variable[], conditions: readonly Condition[]): number => {
  const at = new Map<Variable, number>();
  const value = (v: Variable): number => at.get(v)!;
  const holds = (c: Condition): boolean => {
    switch (c.kind) {
      case "and":
        return c.all.every(holds);
      case "or":
        return c.all.some(holds);
      case "atLeast":
        return evaluateAffine(c.of, value) >= 0;
      case "equal":
        return evaluateAffine(c.of, value) === 0;
      case "unequal":
        return evaluateAffine(c.of, value) !== 0;
      default:
        return c.kind === "true";
    }
  };
  const go = (k: number): number => {
    if (k === variables.length) return conditions.every(holds) ? 1 : 0;
    let n = 0;
    for (let i = 0; i < extentOf(variables[k]!); i++) {
      at.set(variables[k]!, i);
      n += go(k + 1);
    }
    return n;
  };
  return go(0);
};

/** The condition without its comparisons of data, each taken as it would be true: at least as much holds. */
export const withoutTests = (c: Condition): Condition => {
  if (c.kind === "test") return always;
  if (c.kind !== "and" && c.kind !== "or") return c;
  const all = c.all.map(withoutTests);
  if (c.kind === "or" && all.some((d) => d.kind === "true")) return always;
  return { kind: c.kind, all };
};
