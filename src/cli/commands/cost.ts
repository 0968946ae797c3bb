import { cost as costOf } from "../../compiler/index.js";
import { parseShapes } from "../arguments.js";
import { costText } from "../../compiler/explain.js";
import { jsonText } from "../json.js";
import { loadProgram } from "../load.js";
import { exit } from "../usage.js";

export interface CostArguments {
  readonly shape?: readonly string[];
  readonly json?: boolean;
}

/** `indexical cost`: what a program costs, before anything runs. */
export const cost = async (target: string, { shape, json = false }: CostArguments): Promise<number> => {
  const shapes = parseShapes(shape);
  const program = await loadProgram(target);
  const found = costOf(program.run, shapes);
  console.log(json ? jsonText(found) : costText(found).join("\n"));
  return exit.done;
};
