import type { AnyTensor, Vector, Volume } from "../../../dsl/index.js";
import { batchNormOf, batchNormTrainOf, type NormOf, type Params } from "../../../lib/blocks/index.js";
import type { NdArray } from "../../../lib/formats/index.js";
import { inputOf, parametersOf, withPrefix, type GoldenCase } from "../case.js";
import type { Computed } from "../compare.js";
import type { Machine, Outcome } from "../family.js";

/** Builds a block from its input and its parameters by state-dict name; `norm` is batch norm in the mode of the case. */
type Build = (x: Volume, params: Params, norm: NormOf) => Volume;

/**
 * Runs a block on the input `x` of the case with every parameter that it stores. In training mode the running statistics after the pass
 * are outputs as well.
 */
export const runBlock = async (golden: GoldenCase, machine: Machine, build: Build): Promise<Outcome> => {
  const parameters = [...parametersOf(golden)].filter(([key]) => !key.endsWith("num_batches_tracked"));
  const arrays: Record<string, NdArray> = { x: inputOf(golden, "x") };
  for (const [key, array] of parameters) arrays[`param.${key}`] = array;
  const outputs: Record<string, Computed> = await machine.run((tensors) => {
    const params: Params = Object.fromEntries(parameters.map(([key]) => [key, tensors[`param.${key}`]]));
    const updates = new Map<AnyTensor, Vector>();
    const norm = golden.mode === "train" ? batchNormTrainOf(updates) : batchNormOf;
    const output = build(tensors["x"] as unknown as Volume, params, norm);
    const after = [...withPrefix(golden.arrays, "after.")].flatMap(([key]) => {
      const updated = Object.hasOwn(params, key) ? updates.get(params[key]) : undefined;
      return updated ? [[`after.${key}`, updated] as const] : [];
    });
    const results: Record<string, AnyTensor> = Object.fromEntries([["output", output], ...after]);
    return results;
  }, arrays);
  return { outputs };
};
