import { valueAndGrad } from "../../../compiler/index.js";
import { reshape, sizeOf, type AnyTensor, type Scalar, type Vector } from "../../../dsl/index.js";
import { ndarray, toFloat32, type NdArray } from "../../../lib/formats/index.js";
import { convert, converters } from "../../../lib/index.js";
import { crossEntropy, diceCrossEntropy, oneHot, softDiceLoss } from "../../../lib/losses/index.js";
import { forward, parameters, unet, type Network, type StateDict } from "../../../lib/networks/index.js";
import { adam, rmsprop, sgd, type Optimizer } from "../../../lib/training/index.js";
import { inputOf, withPrefix, type GoldenCase } from "../case.js";
import type { Computed } from "../compare.js";
import type { Family, Machine, Runner } from "../family.js";
import { malformed, unmapped } from "../fields.js";
import { stateFor } from "./networks.js";
import { sourceOf } from "./sources.js";

/** `SGD lr .01 momentum .9 wd 1e-4`: a name, then names and numbers. */
const settingsOf = (text: string): { readonly name: string; readonly values: Readonly<Record<string, number>> } => {
  const [name, ...rest] = text.split(/[\s,]+/);
  const values: Record<string, number> = {};
  for (let k = 0; k < rest.length; k += 2) {
    const value = Number(rest[k + 1]);
    if (rest[k + 1] === undefined || Number.isNaN(value)) return unmapped(`${rest[k]} of ${text} is no number`);
    values[rest[k]] = value;
  }
  return { name, values };
};

type AnyOptimizer = Pick<Optimizer<string>, "state"> & { step(inputs: never): Readonly<Record<string, Vector>> };

const optimizerOf = (text: string): { readonly optimizer: AnyOptimizer; readonly rate: number } => {
  const { name, values } = settingsOf(text);
  const { lr: rate, momentum, wd: weightDecay, eps: epsilon, alpha: decay, ...rest } = values;
  if (rate === undefined || Object.keys(rest).length > 0) return unmapped(`the optimizer ${text}`);
  switch (name.toLowerCase()) {
    case "sgd": return { optimizer: sgd({ momentum, weightDecay }), rate };
    case "adam": return { optimizer: adam({ epsilon, weightDecay }), rate };
    case "rmsprop": return { optimizer: rmsprop({ decay, epsilon, momentum, weightDecay }), rate };
    default: return unmapped(`the optimizer ${text}`);
  }
};

const lossOf = (text: string): ((logits: AnyTensor, target: AnyTensor) => Scalar) => {
  const { name, values } = settingsOf(text);
  const smooth = values["smooth"];
  switch (name) {
    case "soft_dice_loss": return (logits, target) => softDiceLoss(logits, target, smooth === undefined ? {} : { smooth });
    case "CE":
    case "cross_entropy": return (logits, target) => crossEntropy(logits, target);
    case "DiceCE": return (logits, target) => diceCrossEntropy(logits, target, smooth === undefined ? {} : { smooth });
    default: return unmapped(`the loss ${text}`);
  }
};

const modelOf = (golden: GoldenCase): Network => {
  const name = golden.description.string("model");
  const [, classes] = /^ACSUNet\((\d+)\)$/.exec(name) ?? [];
  if (classes !== undefined) return convert(unet({ classes: Number(classes) }), converters.acs()).network;
  const [, planar] = /^ACSConverter\((.+)\)$/.exec(name) ?? [];
  return planar === undefined ? sourceOf(name, golden.ctor) : convert(sourceOf(planar, golden.ctor), converters.acs()).network;
};

/** The running statistics start as those of a new network, unless the case stores them. */
const startOf = (golden: GoldenCase, net: Network): StateDict => {
  const buffers = parameters(net);
  return Object.fromEntries(Object.entries(stateFor(golden, net)).map(([name, array]) => {
    if (!buffers[name].buffer || `param.${name}` in golden.arrays) return [name, array];
    return [name, ndarray(new Float32Array(sizeOf(array.shape)).fill(name.endsWith("running_var") ? 1 : 0), array.shape)];
  }));
};

type Tensors = Readonly<Record<string, AnyTensor>>;

/** Tensors and arrays whose names start with a prefix, without it. */
const under = <T>(all: Readonly<Record<string, T>>, prefix: string): Readonly<Record<string, T>> =>
  Object.fromEntries(Object.entries(all).flatMap(([name, t]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), t] as const] : [])));

const prefixed = <T>(all: Readonly<Record<string, T>>, prefix: string): Readonly<Record<string, T>> => Object.fromEntries(Object.entries(all).map(([name, t]) => [`${prefix}${name}`, t]));

/** One step of training as a program: the loss, its gradients, and everything after the step. */
const stepProgram = (net: Network, learned: readonly string[], loss: ReturnType<typeof lossOf>, { optimizer }: { readonly optimizer: AnyOptimizer }) => {
  const pass = (all: Tensors): Tensors => {
    const { outputs: [logits], running } = forward(net, under(all, "param."), { x: all["x"] }, { mode: "train" });
    return { loss: loss(logits, oneHot(all["label"], logits.shape[1])), ...prefixed(running, "param.") };
  };
  return (all: Tensors): Tensors => {
    const names = learned.map((name) => `param.${name}`);
    const given: Tensors = Object.fromEntries(Object.entries(all).filter(([name]) => name === "x" || name === "label" || name.startsWith("param.")));
    const made = valueAndGrad(pass, names, { of: "loss" })(given) as Tensors;
    const after = learned.flatMap((name) => {
      const parameter = all[`param.${name}`];
      const flat = (t: AnyTensor): Vector => reshape(t, [sizeOf(t.shape)]) as unknown as Vector;
      const state = Object.fromEntries(optimizer.state.map((part) => [part, all[`${part}.${name}`]]));
      const { parameter: next, ...rest } = optimizer.step({ ...state, parameter: flat(parameter), gradient: flat(made[`grad.param.${name}`]), rate: all["rate"], count: all["count"] } as never);
      return [[`param.${name}`, reshape(next, parameter.shape)] as const, ...Object.entries(rest).map(([part, t]) => [`${part}.${name}`, t] as const)];
    });
    return { ...made, ...Object.fromEntries(after) };
  };
};

const scalar = (value: number): NdArray => ndarray(Float64Array.of(value), []);

const arrayFrom = ({ data, shape }: Computed): NdArray => ndarray(Float32Array.from(data), shape);

/** Steps as many as there are losses; then the network at inference. */
const training: Runner = async (golden, machine: Machine) => {
  const { description } = golden;
  const net = modelOf(golden);
  const { optimizer, rate } = optimizerOf(description.string("optimizer"));
  const loss = lossOf(description.string("loss"));
  const all = parameters(net);
  const learned = Object.keys(all).filter((name) => !all[name].buffer);
  const x = inputOf(golden, "x");
  const label = inputOf(golden, "label");
  const wanted = golden.arrays["output.losses"] ?? malformed(`${golden.id}.safetensors has no tensor output.losses`);
  const steps = wanted.shape[0];
  let params: Readonly<Record<string, NdArray>> = prefixed(startOf(golden, net), "param.");
  let state: Readonly<Record<string, NdArray>> = Object.fromEntries(learned.flatMap((name) => optimizer.state.map((part) => [`${part}.${name}`, ndarray(new Float32Array(sizeOf(all[name].shape)))] as const)));
  const program = stepProgram(net, learned, loss, { optimizer });
  const losses: number[] = [];
  const outputs: Record<string, Computed> = {};
  for (let step = 0; step < steps; step++) {
    const made: Readonly<Record<string, Computed>> = await machine.run(program as never, { ...params, ...state, x, label: ndarray(toFloat32(label), label.shape), rate: scalar(rate), count: scalar(step + 1) });
    losses.push(made["loss"].data[0]);
    for (const name of Object.keys(under(golden.arrays, `grad.step${step}.`))) outputs[`grad.step${step}.${name}`] = made[`grad.param.${name}`] ?? unmapped(`the gradient by ${name}`);
    params = Object.fromEntries(Object.keys(params).map((name) => [name, arrayFrom(made[name])]));
    state = Object.fromEntries(Object.keys(state).map((name) => [name, arrayFrom(made[name])]));
    for (const name of Object.keys(under(golden.arrays, `after${step + 1}.`))) outputs[`after${step + 1}.${name}`] = made[`param.${name}`] ?? unmapped(`${name} after step ${step + 1}`);
  }
  outputs["output.losses"] = { data: losses, shape: [steps] };
  for (const name of withPrefix(golden.arrays, "output.eval_after").keys()) {
    if (Number(name) !== steps) return unmapped(`output.eval_after${name} of ${steps} steps`);
    const { output } = await machine.run((tensors) => ({ output: forward(net, under(tensors as Tensors, "param."), { x: (tensors as Tensors)["x"] }).outputs[0] }), { ...params, x });
    outputs[`output.eval_after${name}`] = output;
  }
  return { outputs };
};

/** A few steps of training. */
export const trainings: Family = { "4 training steps": training };
