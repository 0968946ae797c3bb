import { IndexicalError, type AnyTensor, type Vector } from "../../dsl/index.js";
import { suggest } from "../../dsl/suggest.js";
import { batchMoments, batchNorm, groupNorm, runningMoments } from "../layers/norm.js";

/** The parameters and buffers of a module by their state-dict names. */
export type Params = Readonly<Record<string, AnyTensor>>;

/** One parameter. @throws param-missing, which names the nearest. */
export const param = <T extends AnyTensor>(params: Params, name: string): T => {
  if (Object.hasOwn(params, name)) return params[name] as T;
  const names = Object.keys(params);
  throw new IndexicalError("param-missing", `there is no parameter ${name}`, { remedy: `There are ${names.slice(0, 8).join(", ") || "none"}${names.length > 8 ? ` and ${names.length - 8} more` : ""}.${suggest(name, names)}` });
};

/** One parameter, or undefined. */
export const optionalParam = <T extends AnyTensor>(params: Params, name: string): T | undefined => (Object.hasOwn(params, name) ? (params[name] as T) : undefined);

/** The parameters of a module inside: those whose name starts with `prefix.`, without it. */
export const paramsUnder = (params: Params, prefix: string): Params =>
  Object.fromEntries(Object.entries(params).flatMap(([name, t]) => (name.startsWith(`${prefix}.`) ? [[name.slice(prefix.length + 1), t] as const] : [])));

/** A norm whose parameters are those of `name`. */
export type NormOf = <T extends AnyTensor>(x: T, params: Params, name: string) => T;

const affineOf = (params: Params, name: string) => ({ weight: optionalParam<Vector>(params, `${name}.weight`), bias: optionalParam<Vector>(params, `${name}.bias`) });
const runningOf = (params: Params, name: string) => ({ mean: param<Vector>(params, `${name}.running_mean`), variance: param<Vector>(params, `${name}.running_var`) });

/** Batch norm with the running statistics (inference). */
export const batchNormOf: NormOf = (x, params, name) => batchNorm(x, { ...affineOf(params, name), ...runningOf(params, name) });

/**
 * Batch norm in training. Running statistics after the batch are put into `updates`, under the tensors that hold the ones before:
 * the new value of a buffer `p` is `updates.get(p)`.
 */
export const batchNormTrainOf =
  (updates: Map<AnyTensor, Vector>, momentum = 0.1, eps = 1e-5): NormOf =>
  (x, params, name) => {
    const running = runningOf(params, name);
    const batch = batchMoments(x);
    // A norm that is used twice goes on from where its first use left the statistics.
    const before = { mean: updates.get(running.mean) ?? running.mean, variance: updates.get(running.variance) ?? running.variance };
    const after = runningMoments(x, batch, before, momentum);
    updates.set(running.mean, after.mean).set(running.variance, after.variance);
    return batchNorm(x, { ...affineOf(params, name), ...batch, eps });
  };

/** Group norm with so many groups; `eps` is added to the variance. */
export const groupNormOf =
  (groups: number, eps = 1e-5): NormOf =>
  (x, params, name) =>
    groupNorm(x, groups, { ...affineOf(params, name), eps });
