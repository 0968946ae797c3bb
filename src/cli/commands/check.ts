import { equivalent } from "../../compiler/index.js";
import { parseShapes } from "../arguments.js";
import { jsonText } from "../json.js";
import { loadProgram } from "../load.js";
import { exit } from "../usage.js";

export interface CheckArguments {
  readonly shape?: readonly string[];
  readonly json?: boolean;
}

/** `indexical check`: 0 when two programs are equal, 1 when they differ. */
export const check = async (first: string, second: string, { shape, json = false }: CheckArguments): Promise<number> => {
  const shapes = parseShapes(shape);
  const [f, g] = [await loadProgram(first), await loadProgram(second)];
  const verdict = equivalent(f.run, g.run, shapes);
  console.log(json ? jsonText({ first: f.name, second: g.name, ...verdict }) : verdict.message);
  return verdict.verdict === "differs" ? exit.refused : exit.done;
};
