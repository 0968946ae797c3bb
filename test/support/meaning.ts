import { runPasses } from "../../src/compiler/passes.js";
import type { Program } from "../../src/compiler/ir.js";
import { Evaluation, float64 } from "../../src/dsl/index.js";
import { interpret } from "./interpret.js";
import type { LanguageProgram } from "./programs.js";

type Outputs = Readonly<Record<string, ArrayLike<number>>>;

/** What the definitions say, before any pass. */
export const meaning = ({ traced, inputs }: LanguageProgram): Outputs => {
  const evaluation = new Evaluation(float64, (node) => inputs[node.name]!);
  return Object.fromEntries(traced.outputs.map(({ name, node }) => [name, evaluation.all(node)]));
};

/** Where two results differ, in words; undefined when they are equal. A zero has no sign here. */
export const difference = (expected: Outputs, got: Outputs): string | undefined => {
  for (const [name, e] of Object.entries(expected)) {
    const g = got[name];
    if (g?.length !== e.length) return `${name} has ${g?.length} elements, not ${e.length}`;
    for (let k = 0; k < e.length; k++) if (e[k] !== g[k] && !(Number.isNaN(e[k]) && Number.isNaN(g[k]))) return `${name}[${k}] is ${g[k]}, not ${e[k]}`;
  }
  return undefined;
};

/** Runs all passes, and the interpreter after each. @throws when a pass changes the meaning, or makes an ill-formed program. */
export const checkPasses = (program: LanguageProgram): Program => {
  const expected = meaning(program);
  return runPasses(program.traced, {
    verify: true,
    onPass: (name, p) => {
      const wrong = difference(expected, Object.fromEntries(Object.entries(interpret(p, program.inputs)).map(([k, v]) => [k, v.data])));
      if (wrong) throw new Error(`after ${name}: ${wrong}`);
    },
  });
};
