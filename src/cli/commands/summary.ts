import { printSummary, summary as summaryOf } from "../../lib/networks/index.js";
import { parseShapes } from "../arguments.js";
import { jsonText } from "../json.js";
import { loadModel } from "../models/model.js";
import { exit, misused } from "../usage.js";

export interface SummaryArguments {
  readonly shape?: readonly string[];
  readonly to?: string;
  readonly json?: boolean;
}

/** `indexical summary`: the layers of a network, and what they cost. */
export const summary = async (target: string, { shape, to, json = false }: SummaryArguments): Promise<number> => {
  const { network } = await loadModel(target, to === undefined ? {} : { to });
  const shapes = parseShapes(shape);
  for (const name of network.inputs)
    if (!Object.hasOwn(shapes, name)) misused("cli-argument", `${network.name} has an input ${name}, and no shape was given for it`, `Write --shape ${name}=1,3,64,64${network.inputs.length > 1 ? " and so on for each input" : ""}.`);
  const found = summaryOf(network, shapes);
  console.log(json ? jsonText(found) : printSummary(found));
  return exit.done;
};
