import { compile, explain as explanationOf, type Explanation, type ExplainOptions, type ProgramFunction, type ProgramOutput, type Shapes } from "../../compiler/index.js";
import type { AnyTensor } from "../../dsl/index.js";
import { parseShapes } from "../arguments.js";
import { differentiated, withSeeds, type GradientArguments } from "../gradient.js";
import { jsonText } from "../json.js";
import { loadProgram } from "../load.js";
import { readTuningFile, writeTuningFile, type TuningArguments } from "../tuning.js";
import { exit } from "../usage.js";

export interface ExplainArguments extends TuningArguments, GradientArguments {
  readonly shape?: readonly string[];
  readonly dumpAfter?: string;
  readonly device?: string;
  readonly json?: boolean;
}

/** `indexical explain`: what a program becomes. With a pass to dump after, the program there and nothing else: it is code of the language. */
export const explain = async (target: string, options: ExplainArguments): Promise<number> => {
  const { shape, dumpAfter, device, json = false } = options;
  const program = await loadProgram(target);
  const shapes = withSeeds(program.run, parseShapes(shape), options);
  const run = differentiated(program.run, options);
  // The program after a pass shows no kernels, so none are made: the reference has none.
  const alone = dumpAfter !== undefined && dumpAfter !== "emit" && !json;
  const tuned = options.tune || options.tuning !== undefined;
  const explanation = tuned && !alone ? await asTuned(run, shapes, { dumpAfter, device }, options) : explanationOf(run, shapes, { dumpAfter, device: alone ? "reference" : device });
  console.log(json ? jsonText(explanation) : (explanation.dump?.program ?? String(explanation)).trimEnd());
  return exit.done;
};

/** The kernels as they run on a device with what was measured. */
const asTuned = async (run: ProgramFunction, shapes: Shapes, options: ExplainOptions, given: TuningArguments): Promise<Explanation> => {
  const compiled = await compile<Record<string, AnyTensor>, ProgramOutput>(run, shapes, { device: options.device, ...readTuningFile(given) });
  writeTuningFile(given, compiled.tuning);
  try {
    return compiled.explain({ dumpAfter: options.dumpAfter });
  } finally {
    compiled.dispose();
  }
};
