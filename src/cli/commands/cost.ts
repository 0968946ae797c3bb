import { cost as costOf } from "../../compiler/index.js";
import { parseShapes } from "../arguments.js";
import { costText } from "../../compiler/explain.js";
import { differentiated, withSeeds, type GradientArguments } from "../gradient.js";
import { jsonText } from "../json.js";
import { loadProgram } from "../load.js";
import { exit } from "../usage.js";

export interface CostArguments extends GradientArguments {
  readonly shape?: readonly string[];
  readonly json?: boolean;
}

/** `indexical cost`: what a program costs, before anything runs. */
export const cost = async (target: string, { shape, json = false, ...gradient }: CostArguments): Promise<number> => {
  const given = parseShapes(shape);
  const program = await loadProgram(target);
  const found = costOf(differentiated(program.run, gradient), withSeeds(program.run, given, gradient));
  console.log(json ? jsonText(found) : costText(found).join("\n"));
  return exit.done;
};
