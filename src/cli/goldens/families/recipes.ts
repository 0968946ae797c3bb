import { toFloat32 } from "../../../lib/formats/index.js";
import { fnv1a32, lowbias32, recipeTensor, tensorSeed } from "../../../lib/weights/recipe.js";
import { withPrefix } from "../case.js";
import type { Check, Family } from "../family.js";

export const recipes: Family = {
  "hashw-v1": async (golden) => {
    const { description } = golden;
    const seed = description.number("seed");
    const outputs = Object.fromEntries(
      [...withPrefix(golden.arrays, "param.")].map(([key, { shape }]) => {
        const array = recipeTensor(key, shape, seed);
        return [`param.${key}`, { data: toFloat32(array), shape: array.shape }];
      }),
    );
    const constants: Readonly<Record<string, () => number>> = {
      lowbias32_of_1: () => lowbias32(1),
      fnv1a_conv1_weight: () => fnv1a32("conv1.weight"),
      tensor_seed_conv1_weight: () => tensorSeed("conv1.weight", seed),
    };
    const checks = Object.entries(constants).flatMap(([name, value]): Check[] =>
      description.has(name) ? [{ name, error: Math.abs(value() - description.number(name)), tolerance: 0 }] : [],
    );
    return { outputs, checks };
  },
};
