import type { Tensor, Vector } from "../../../dsl/index.js";
import { ndarray, toFloat64, type NdArray } from "../../../lib/formats/index.js";
import { adam, cosine, multiStep, polynomial, rmsprop, sgd, type Optimizer, type Schedule } from "../../../lib/training/index.js";
import { inputOf, withPrefix, type GoldenCase } from "../case.js";
import type { Computed } from "../compare.js";
import type { Check, Family, Machine } from "../family.js";
import { malformed } from "../fields.js";

/** `m0.9_wd1e-4` as a record of numbers; undefined when a part is not a name and a number. */
const settings = (text: string): Readonly<Record<string, number>> | undefined => {
  const parts = text.split("_").map((part) => /^([a-z]+)(\d[\d.e+-]*)$/.exec(part));
  return parts.some((part) => !part) ? undefined : Object.fromEntries(parts.map((part) => [part![1], Number(part![2])]));
};

const only = (given: Readonly<Record<string, number>>, ...names: readonly string[]): boolean =>
  Object.keys(given).every((name) => names.includes(name));

interface Chosen {
  readonly optimizer: Pick<Optimizer<string>, "state"> & { step(inputs: never): Readonly<Record<string, Vector>> };
  readonly rate: number;
}

/** `sgd_m0.9_wd1e-4_lr0.01`; undefined for what has no meaning here. */
const optimizerOf = (name: string): Chosen | undefined => {
  const [, kind, rest] = /^([a-z]+)_(.*)$/.exec(name) ?? [];
  const given = rest === undefined ? undefined : settings(rest);
  if (!given || given["lr"] === undefined) return undefined;
  const { lr: rate, wd: weightDecay, m: momentum, a: decay, eps: epsilon } = given;
  if (kind === "sgd" && only(given, "lr", "m", "wd")) return { optimizer: sgd({ momentum, weightDecay }), rate };
  if (kind === "adam" && only(given, "lr", "wd", "eps")) return { optimizer: adam({ epsilon, weightDecay }), rate };
  if (kind === "rmsprop" && only(given, "lr", "wd", "eps", "a", "m")) return { optimizer: rmsprop({ decay, epsilon, momentum, weightDecay }), rate };
  return undefined;
};

/** The parameter after each step: [steps, size]. */
const train = async (golden: GoldenCase, machine: Machine, { optimizer, rate }: Chosen): Promise<Computed> => {
  const [start, gradients] = [inputOf(golden, "param"), inputOf(golden, "grads")];
  const [steps, size] = gradients.shape;
  if (gradients.shape.length !== 2 || start.shape.join() !== String(size))
    malformed(`a parameter [${start.shape.join(", ")}] with gradients [${gradients.shape.join(", ")}]`);
  const each = toFloat64(gradients);
  const scalar = (value: number): NdArray => ndarray(Float64Array.of(value), []);
  let state: Record<string, NdArray> = Object.fromEntries([
    ["parameter", start],
    ...optimizer.state.map((name) => [name, ndarray(new Float64Array(size), [size])] as const),
  ]);
  const data: number[] = [];
  const program = (tensors: Readonly<Record<string, Tensor>>): Readonly<Record<string, Vector>> => optimizer.step(tensors as never);
  for (let step = 0; step < steps; step++) {
    const inputs = { ...state, gradient: ndarray(each.slice(step * size, (step + 1) * size), [size]), rate: scalar(rate), count: scalar(step + 1) };
    const results = await machine.run(program, inputs as Readonly<Record<string, NdArray>>);
    state = Object.fromEntries(Object.entries(results).map(([name, { data: values, shape }]) => [name, ndarray(Float64Array.from(values), shape)]));
    data.push(...toFloat64(state["parameter"]));
  }
  return { data, shape: [steps, size] };
};

const NUMBER = "(\\d[\\d.]*(?:e[+-]?\\d+)?)";

/** `multistep_25_37.5_g0.1_lr0.01`, `poly_0.9_lr1e-3_max100`, `cosine_lr0.1_100`. */
const scheduleOf = (name: string): Schedule | undefined => {
  const numbers = (pattern: string): number[] | undefined => new RegExp(`^${pattern}$`).exec(name)?.slice(1).map(Number);
  const steps = /^multistep_((?:[\d.]+_)+)g([\d.e-]+)_lr([\d.e-]+)$/.exec(name);
  if (steps) return multiStep(Number(steps[3]), steps[1].split("_").filter(Boolean).map(Number), Number(steps[2]));
  const poly = numbers(`poly_${NUMBER}_lr${NUMBER}_max${NUMBER}`);
  if (poly) return polynomial(poly[1], poly[2], poly[0]);
  const half = numbers(`cosine_lr${NUMBER}_${NUMBER}`);
  return half && cosine(half[0], half[1]);
};

/** The learning rates that the case lists, to a part in 10^12. */
const scheduleChecks = ({ description }: GoldenCase): Check[] => {
  if (!description.has("schedules")) return [];
  const schedules = description.fields("schedules");
  return schedules.keys().flatMap((name) => {
    const schedule = scheduleOf(name);
    if (!schedule) return [];
    return schedules.numbers(name).map((rate, step): Check => ({
      name: `${name} at ${step}`,
      error: Math.abs(schedule(step) - rate),
      tolerance: 1e-12 * Math.abs(rate) + 1e-15,
    }));
  });
};

export const optimizers: Family = {
  "SGD/Adam/RMSprop": async (golden, machine) => {
    const outputs: Record<string, Computed> = {};
    for (const [name] of withPrefix(golden.arrays, "output.")) {
      const chosen = optimizerOf(name);
      if (chosen) outputs[`output.${name}`] = await train(golden, machine, chosen);
    }
    return { outputs, checks: scheduleChecks(golden) };
  },
};
