import { extentOf, integer, scale, subtract, type Affine, type Variable } from "../../../dsl/index.js";
import { substitution, type Substitution } from "../../schedule/values.js";
import { variablesOf } from "../../values.js";
import { i32, v128 } from "./encoder.js";
import type { Routine } from "./scope.js";

/** The four lanes of a vector: what differs from one to the next, and by how much. */
export class Lanes {
  /** What an expression is in each of the lanes. */
  readonly at: readonly Substitution[];

  constructor(
    private readonly routine: Routine,
    /** Variables that stand for the number of the vector lane; one of extent n < 4 for a vector of n elements. */
    private readonly variables: readonly Variable[],
  ) {
    // A lane beyond the last element repeats it, so that whatever it reads exists.
    this.at = [0, 1, 2, 3].map((l) => substitution(new Map(variables.map((v) => [v, integer(Math.min(l, extentOf(v) - 1))]))));
  }

  /** Whether something with these variables differs from lane to lane. */
  varies(variables: ReadonlySet<Variable>): boolean {
    return this.variables.some((v) => variables.has(v));
  }

  /** By how much `a` grows from lane to lane, if by a constant. */
  step(a: Affine): number | undefined {
    if (!this.varies(variablesOf(a))) return 0;
    const term = a.terms.find((t) => t.atom.kind === "variable" && this.variables.includes(t.atom.variable));
    if (!term) return undefined;
    const rest = subtract(a, scale({ constant: 0, terms: [{ ...term, coefficient: 1 }], key: `1*${term.atom.key}+0` }, term.coefficient));
    return this.varies(variablesOf(rest)) ? undefined : term.coefficient;
  }

  /** How many lanes of a vector of elements at `a` are elements. */
  filled(a: Affine): number {
    const own = this.variables.find((v) => variablesOf(a).has(v));
    return own ? extentOf(own) : 1;
  }

  /** Stores the first `n` lanes, fewer than four, of the vector on the stack at the address below it. */
  storeSome(n: number, offset: number): void {
    const { code } = this.routine;
    const [at, all] = [this.routine.local(i32), this.routine.local(v128)];
    code.set(all).set(at).get(at).get(all);
    if (n === 1) code.storeLane(0, offset);
    else code.storeHalf(0, offset);
    if (n === 3) code.get(at).get(all).storeLane(2, offset + 8);
  }
}
