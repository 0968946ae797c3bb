import { unmapped } from "./fields.js";
import type { GoldenCase } from "./case.js";
import type { Family, Runner } from "./family.js";
import { acs } from "./families/acs.js";
import { alignShift } from "./families/alignshift.js";
import { autofocus } from "./families/autofocus.js";
import { conversionFamily } from "./families/converters.js";
import { detection } from "./families/detection.js";
import { generators } from "./families/generators.js";
import { losses } from "./families/losses.js";
import { metrics } from "./families/metrics.js";
import { models } from "./families/models.js";
import { optimizers } from "./families/optimizers.js";
import { primitives } from "./families/primitives.js";
import { recipes } from "./families/recipes.js";
import { trainings } from "./families/training.js";
import { transforms } from "./families/transforms.js";
import { vdt } from "./families/vdt.js";

/** Who computes what, by `kind` and then by `op`. The operators of all systems have different names. */
const families: Readonly<Record<string, Family>> = {
  op: { ...acs, ...alignShift, ...autofocus, ...detection, ...optimizers, ...primitives, ...vdt },
  model: models,
  converter: conversionFamily,
  loss: losses,
  metric: metrics,
  training: trainings,
  transform: transforms,
  generator: generators,
  recipe: recipes,
};

/** The runner of a case. @throws golden-unmapped when there is none, with the reason */
export const runnerOf = ({ kind, op, system }: GoldenCase): Runner => {
  const family = Object.hasOwn(families, kind) ? families[kind] : unmapped(`the kind ${kind} is not known`);
  return Object.hasOwn(family, op) ? family[op] : unmapped(`no ${kind} called ${op} of ${system} is known`);
};
