import { network, type Part } from "../../../lib/networks/index.js";
import { inputOf, parametersOf, type GoldenCase } from "../case.js";
import type { Machine, Outcome } from "../family.js";
import { malformed } from "../fields.js";
import { runNetwork, stateFor } from "./networks.js";

/** Channels of the input `x` of a case. */
export const channelsOf = (golden: GoldenCase): number => inputOf(golden, "x").shape[1];

/** What the parameters of a case say of its block: the out-channels of a convolution, and whether the shortcut has one of its own. */
export interface BlockParameters {
  out(name: string): number;
  readonly downsample: boolean;
}

/** @throws golden-malformed when a convolution has no weight */
export const blockParameters = (golden: GoldenCase, prefix = ""): BlockParameters => {
  const parameters = parametersOf(golden);
  return {
    out: (name) => (parameters.get(`${prefix}${name}.weight`) ?? malformed(`${golden.id}.safetensors has no tensor param.${prefix}${name}.weight`)).shape[0],
    downsample: [...parameters.keys()].some((key) => key.startsWith(`${prefix}downsample.`)),
  };
};

/** Runs a part of a network on the input `x` of the case, as a network of its own. */
export const runBlock = async (golden: GoldenCase, machine: Machine, part: Part): Promise<Outcome> => {
  const net = network(golden.op, ["x"], part);
  return runNetwork(golden, machine, net, stateFor(golden, net));
};
