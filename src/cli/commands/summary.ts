import { printSummary, summary as summaryOf } from "../../lib/networks/index.js";
import { parseShapes } from "../arguments.js";
import { jsonText } from "../json.js";
import { fitting, inputShapes, loadModel } from "../models/model.js";
import { exit } from "../usage.js";

export interface SummaryArguments {
  readonly shape?: readonly string[];
  readonly to?: string;
  readonly json?: boolean;
}

/** `indexical summary`: the layers of a network, and what they cost. */
export const summary = async (target: string, { shape, to, json = false }: SummaryArguments): Promise<number> => {
  const { network, conversion } = await loadModel(target, to === undefined ? {} : { to });
  const shapes = inputShapes(network, parseShapes(shape));
  const found = fitting(conversion, () => summaryOf(network, shapes));
  console.log(json ? jsonText(found) : printSummary(found));
  return exit.done;
};
