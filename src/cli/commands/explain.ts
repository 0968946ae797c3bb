import { explain as explanationOf } from "../../compiler/index.js";
import { parseShapes } from "../arguments.js";
import { jsonText } from "../json.js";
import { loadProgram } from "../load.js";
import { exit } from "../usage.js";

export interface ExplainArguments {
  readonly shape?: readonly string[];
  readonly dumpAfter?: string;
  readonly device?: string;
  readonly json?: boolean;
}

/** `indexical explain`: what a program becomes. With a pass to dump after, the program there and nothing else: it is code of the language. */
export const explain = async (target: string, { shape, dumpAfter, device, json = false }: ExplainArguments): Promise<number> => {
  const shapes = parseShapes(shape);
  const program = await loadProgram(target);
  // The program after a pass shows no kernels, so none are made: the reference has none.
  const alone = dumpAfter !== undefined && dumpAfter !== "emit" && !json;
  const explanation = explanationOf(program.run, shapes, { dumpAfter, device: alone ? "reference" : device });
  console.log(json ? jsonText(explanation) : (explanation.dump?.program ?? String(explanation)).trimEnd());
  return exit.done;
};
