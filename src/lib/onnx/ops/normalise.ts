import { broadcast, sum, tensor, type Vector } from "../../../dsl/index.js";
import { batchNorm, instanceNorm, layerNorm, moments } from "../../layers/index.js";
import { Value } from "../value.js";
import type { Operator } from "../call.js";

const batch: Operator = (call) => {
  if (call.flag("training_mode", false)) call.refuse("onnx-attribute", "training_mode 1", "Export the model in eval mode.");
  if (!call.flag("spatial", true)) call.refuse("onnx-attribute", "spatial 0: a mean for every element is not read");
  const [weight, bias, mean, variance] = [1, 2, 3, 4].map((n) => call.tensor<Vector>(n));
  return Value.of(batchNorm(call.tensor(0), { weight, bias, mean, variance, eps: call.float("epsilon", 1e-5) }), "float");
};

const instance: Operator = (call) => Value.of(instanceNorm(call.tensor(0), { weight: call.tensor<Vector>(1), bias: call.tensor<Vector>(2), eps: call.float("epsilon", 1e-5) }), "float");

const layer: Operator = (call) => {
  const x = call.tensor(0);
  const axes = x.shape.map((_, a) => a).slice(call.axis(call.int("axis", -1), x.rank));
  const extents = axes.map((a) => x.shape[a]);
  const bias = call.maybe(2);
  return Value.of(layerNorm(x, { axes, weight: broadcast(call.tensor(1), extents), bias: bias && broadcast(bias, extents), eps: call.float("epsilon", 1e-5) }), "float");
};

/** Scale and bias are given a group in opset 18, a channel since 21. */
const group: Operator = (call) => {
  const x = call.tensor(0);
  const groups = call.int("num_groups") ?? call.refuse("onnx-attribute", "it has no num_groups");
  const [n, channels, ...space] = x.shape;
  if (!(groups >= 1) || channels % groups !== 0) call.refuse("onnx-attribute", `${channels} channels in ${groups} groups`);
  const per = channels / groups;
  const split = tensor([n, groups, per, ...space], (b, g, c, ...at) => x(b, per * g + c, ...at));
  const { mean, variance } = moments(split, split.shape.map((_, a) => a).slice(2));
  const eps = call.float("epsilon", 1e-5);
  const [scale, bias] = [call.tensor<Vector>(1), call.tensor<Vector>(2)];
  const step = scale.shape[0] === groups && groups !== channels ? per : 1;
  return Value.of(tensor(x.shape, (b, c, ...at) => ((x(b, c, ...at) - mean(b, Math.floor(c / per))) / Math.sqrt(variance(b, Math.floor(c / per)) + eps)) * scale(Math.floor(c / step)) + bias(Math.floor(c / step))), "float");
};

/** Local response normalisation across channels (AlexNet). */
const response: Operator = (call) => {
  const x = call.tensor(0);
  const width = call.int("size") ?? call.refuse("onnx-attribute", "it has no size");
  const [alpha, beta, bias] = [call.float("alpha", 1e-4), call.float("beta", 0.75), call.float("bias", 1)];
  const low = Math.floor((width - 1) / 2);
  const channels = x.shape[1];
  return Value.of(tensor(x.shape, (n, c, ...at) => {
    const square = sum([width], (i) => (c + i - low >= 0 && c + i - low < channels ? x(n, c + i - low, ...at) ** 2 : 0));
    return x(n, c, ...at) / (bias + (alpha / width) * square) ** beta;
  }), "float");
};

/** Normalisations. */
export const normalise: Readonly<Record<string, Operator>> = {
  BatchNormalization: batch,
  InstanceNormalization: instance,
  LayerNormalization: layer,
  GroupNormalization: group,
  LRN: response,
};

