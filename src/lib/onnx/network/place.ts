import { IndexicalError } from "../../../dsl/index.js";
import { ndarray, toFloat32, type NdArray } from "../../formats/ndarray.js";
import type { OnnxNode } from "../../formats/onnx.js";
import type { Layer } from "../../networks/layer.js";
import { refuse, type Call } from "../call.js";
import { layerName, parametersName, type Names, type Weights } from "./names.js";
import type { Extent, Feature, Operand } from "./operand.js";

/** What is known of the model around a node. */
export interface Surroundings {
  readonly names: Names;
  readonly weights: Weights;
  /** What a name of the model stands for; undefined for "" and for what is not there. */
  operand(name: string): Operand | undefined;
  /** The node that gives a value. */
  producer(name: string): OnnxNode | undefined;
  /** How many nodes read a value; outputs of the model count as well. */
  readers(name: string): number;
  /** The shape of a value in the model, where the shapes of the inputs are known. */
  shape(name: string): readonly number[] | undefined;
}

/** What else is known of the result of a layer; what is left out is as in its first input. */
export type Facts = Partial<Pick<Feature, "rank" | "channels" | "pooled" | "nonNegative" | "channelsLast">>;

/** What a node becomes. */
export type LayerOperator = (place: Place) => Operand;

/** A node of the model, with what it reads: what an operator sees. Every refusal names the node. */
export class Place {
  constructor(
    /** Attributes, and inputs whose numbers are known. */
    readonly call: Call,
    readonly operands: readonly (Operand | undefined)[],
    readonly model: Surroundings,
  ) {}

  get node(): OnnxNode {
    return this.call.node;
  }

  /** @throws onnx-layer */
  noLayer(what: string, remedy = "importOnnx runs the model as a program, which converters can't change; or cut it before this node: { outputs: [...] }."): never {
    return refuse("onnx-layer", `${this.call.title}: ${what}`, remedy);
  }

  /** @throws onnx-shape for an input that is left out, and what made it unusable */
  operand(n: number): Exclude<Operand, { readonly kind: "refused" }> {
    const operand = this.operands[n] ?? this.call.refuse("onnx-shape", `it has no input ${n}`);
    if (operand.kind === "refused") throw operand.error;
    return operand;
  }

  /** A tensor that depends on the data, with nothing around it that has still to be laid. */
  feature(n: number): Feature {
    const x = this.any(n);
    if (x.channelsLast) this.noLayer(`the channels of its input ${x.name} are the last axis`, "Export the model with channels first, or without the transposition.");
    return this.whole(x);
  }

  /** As {@link feature}, and its channels may be the last axis. */
  either(n: number): Feature {
    return this.whole(this.any(n));
  }

  private whole(x: Feature): Feature {
    if (x.border) return this.noLayer(`its input ${x.name} is padded, and only convolutions and pools take a padding`);
    return x.grouped ? this.noLayer(`its input ${x.name} has its channels in groups, and only a norm takes those`) : x;
  }

  /** A tensor that depends on the data, with the border around it. */
  any(n: number): Feature {
    const operand = this.operand(n);
    if (operand.kind === "feature") return operand;
    return this.noLayer(operand.kind === "known" ? `its input ${n} is a constant where a value of the network is needed` : `its input ${n} is arithmetic on shapes, which is no layer`);
  }

  /** Numbers that must be known. */
  known(n: number): NdArray {
    const operand = this.operand(n);
    return operand.kind === "known" ? operand.array : this.noLayer(`its input ${n} depends on the data, and a layer has it as a parameter`);
  }
  maybeKnown(n: number): NdArray | undefined {
    return this.operands[n] === undefined ? undefined : this.known(n);
  }

  /** The shape of a value as [N, C, ...space]. */
  shapeOf(x: Feature): readonly number[] | undefined {
    const shape = this.model.shape(x.name);
    return shape && x.channelsLast ? [shape[0], shape[x.rank - 1], ...shape.slice(1, -1)] : shape;
  }
  channelsOf(x: Feature): number {
    return x.channels ?? this.shapeOf(x)?.[1] ?? this.noLayer(`how many channels ${x.name} has is not known`, "Give the shapes of the inputs: networkOfOnnx(model, { shapes: { x: [...] } }).");
  }
  /** An extent as a number, where the shapes of the inputs are known. */
  resolve(extent: number | Extent): number | undefined {
    if (typeof extent === "number") return extent;
    const shape = this.shapeOf(extent.of);
    return shape && Math.floor(shape[extent.axis] * extent.times);
  }

  /** A layer without parameters. */
  layer(layer: Layer, from: readonly Feature[], facts: Facts = {}): Feature {
    const name = this.model.names.take(layerName(this.node));
    return this.result({ kind: "layer", name, layer, from: from.map(({ value }) => value), parameters: name }, from[0], facts);
  }

  /**
   * A layer with parameters. `given` has names of initializers by what they are to the layer, so that it is called as they are.
   * @param again the name of a layer that this one stands in for
   */
  withParameters(layer: Layer, x: Feature, arrays: Readonly<Record<string, NdArray>>, given: Readonly<Record<string, string | undefined>>, facts: Facts = {}, again?: string): Feature {
    const wanted = again ?? parametersName(this.node, given);
    const parameters = this.model.weights.place(wanted, arrays);
    return this.result({ kind: "layer", name: again ?? this.model.names.take(parameters), layer, from: [x.value], parameters }, x, facts);
  }

  private result(value: Feature["value"], first: Feature, facts: Facts): Feature {
    const { rank, channels, pooled = false, channelsLast = false } = { ...first, ...facts };
    return { kind: "feature", name: this.node.outputs[0], value, rank, channels, pooled, channelsLast, nonNegative: facts.nonNegative ?? false };
  }

  /** `scale x + shift` channel by channel: a layer of factors, or a norm whose statistics do nothing. */
  affine(x: Feature, scale: Float32Array | undefined, shift: Float32Array | undefined, given: string | undefined): Feature {
    const channels = this.channelsOf(x);
    const facts = { channels };
    if (scale && !shift) return this.withParameters({ kind: "scale", channels, initial: 1 }, x, { gamma: ndarray(scale) }, { gamma: given, weight: given }, facts);
    const all = (value: number): Float32Array => new Float32Array(channels).fill(value);
    const arrays = { weight: ndarray(scale ?? all(1)), bias: ndarray(shift ?? all(0)), running_mean: ndarray(all(0)), running_var: ndarray(all(1)) };
    return this.withParameters({ kind: "batchNorm", channels, eps: 0, momentum: 0.1, statistics: "running", weight: 1 }, x, arrays, { bias: given }, facts);
  }

  /** One number for each channel of `x` from an array that is broadcast to it; undefined when it differs along another axis. */
  perChannel(array: NdArray, x: Feature): Float32Array | undefined {
    const axis = (x.channelsLast ? x.rank - 1 : 1) - (x.rank - array.shape.length);
    if (array.shape.length > x.rank || array.shape.some((extent, a) => extent !== 1 && a !== axis)) return undefined;
    const channels = this.channelsOf(x);
    const values = toFloat32(array);
    if (values.length === 1) return new Float32Array(channels).fill(values[0]);
    return values.length === channels ? values : undefined;
  }
}

/** What is refused becomes an operand that is refused when it is needed. */
export const guarded = (make: () => Operand): Operand => {
  try {
    return make();
  } catch (error) {
    if (error instanceof IndexicalError) return { kind: "refused", error };
    throw error;
  }
};
