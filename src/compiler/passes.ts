import { always } from "./conditions.js";
import { fuse } from "./fuse.js";
import { proveReads } from "./infer.js";
import { inline } from "./inline.js";
import type { Program } from "./ir.js";
import { lower } from "./lower.js";
import { recompute } from "./recompute.js";
import { mapStages } from "./rewrite.js";
import { simplify } from "./simplify.js";
import { split } from "./split.js";
import type { Traced } from "./trace.js";
import { verify } from "./verify.js";

export interface Pass {
  readonly name: string;
  readonly describe: string;
  readonly run: (program: Program) => Program;
}

/** Each piece in normal form. Inlining and splitting ask for it as they go, so little is left to do here. */
const simplifyProgram = (program: Program): Program => mapStages(program, (stage) => ({ ...stage, pieces: stage.pieces.map((p) => ({ ...p, body: simplify(p.body, always) })) }));

/** The pipeline, as data. Each pass keeps the meaning of the program. */
export const passes: readonly Pass[] = [
  {
    name: "infer",
    describe: "proves every read in bounds under its guards",
    run: (p) => {
      proveReads(p);
      return p;
    },
  },
  { name: "inline", describe: "views, light arithmetic and epilogues vanish into their readers; guards are decided; sums are brought to normal form", run: inline },
  { name: "split", describe: "cuts stages where a guard on their own indices changes truth, and simplifies each piece", run: split },
  { name: "simplify", describe: "brings each piece to normal form under all that its domain decides", run: simplifyProgram },
  { name: "fuse", describe: "sums that share factors run over the same loops", run: fuse },
];

export interface PassOptions {
  /** Called with the program after tracing (`trace`) and after each pass. */
  readonly onPass?: ((name: string, program: Program) => void) | undefined;
  /** Checks the program between the passes. */
  readonly verify?: boolean | undefined;
}

/** The specialised program. */
export const runPasses = (traced: Traced, options: PassOptions = {}): Program => {
  let program = lower(traced);
  const after = (name: string): void => {
    if (options.verify) verify(program, name);
    options.onPass?.(name, program);
  };
  after("trace");
  for (const pass of passes) {
    program = pass.run(program);
    after(pass.name);
  }
  return traced.memoryBytes === undefined ? program : recompute(program, traced.memoryBytes);
};
