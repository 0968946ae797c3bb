import { toFloat32, type NdArray } from "../../formats/ndarray.js";
import type { Taps } from "../../networks/layer.js";
import type { Node } from "../../networks/graph.js";
import type { StateDict } from "../../networks/initialise.js";
import { refuse } from "../call.js";
import type { Attributes, Builder } from "./builder.js";

/** Where a layer stands in the model that is written: what its lowering may use. */
export interface Place {
  readonly build: Builder;
  readonly node: Node;
  /** Names of the values that it reads, and their shapes. */
  readonly from: readonly string[];
  readonly shapes: readonly (readonly number[])[];
  /** Shape of what it gives. */
  readonly shape: readonly number[];
  readonly weights: StateDict;
}

/** A parameter of the layer by its name below it. @throws onnx-weight */
export const parameter = ({ weights, node }: Place, name: string): NdArray => {
  const key = `${node.parameters}.${name}`;
  return Object.hasOwn(weights, key) ? weights[key] : refuse("onnx-weight", `the weights have no ${key}, which ${node.name} needs`, "Give the state dict of this network.");
};

/** The parameter as a constant of the model, in float32. */
export const weightOf = (place: Place, name: string): string => {
  const array = parameter(place, name);
  return place.build.weight(`${place.node.parameters}.${name}`, array.dtype === "float32" ? array : { data: toFloat32(array), shape: array.shape, dtype: "float32" });
};

/** A vector over channels, shaped to broadcast over [N, C, ...]. */
export const perChannel = (place: Place, name: string, rank: number): string => {
  const array = parameter(place, name);
  return place.build.floats(`${place.node.parameters}.${name}.broadcast`, toFloat32(array), [array.shape[0], ...Array<number>(rank - 2).fill(1)]);
};

/** Attributes of Conv and the pools. */
export const tapsAttributes = ({ kernel, stride, padding, dilation }: Taps): Attributes => ({
  kernel_shape: kernel,
  strides: stride,
  pads: [...padding, ...padding],
  dilations: dilation,
});

