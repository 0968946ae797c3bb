import { IndexicalError, type AnyTensor, type Tensor } from "../../dsl/index.js";
import type { OnnxAttribute, OnnxNode } from "../formats/onnx.js";
import type { NdArray } from "../formats/ndarray.js";
import type { Kind, Value } from "./value.js";

/** Throws an error of the import or export of ONNX models. */
export const refuse = (code: string, message: string, remedy?: string, cause?: unknown): never => {
  throw new IndexicalError(code, message, { ...(remedy === undefined ? {} : { remedy }), cause });
};

/** An operator: what a node becomes. One value an output. */
export type Operator = (call: Call) => Value | readonly Value[];

interface AttributeValues {
  readonly float: number;
  readonly int: number;
  readonly floats: readonly number[];
  readonly ints: readonly number[];
  readonly string: string;
  readonly tensor: NdArray;
}

/** A node with the values that it reads: what an operator sees. Every refusal names the node. */
export class Call {
  constructor(
    readonly node: OnnxNode,
    /** Version of the operators. */
    readonly opset: number,
    readonly operands: readonly (Value | undefined)[],
  ) {}

  /** `Conv "features.0"`, or `Conv (of x1, w)` for a node without a name. */
  get title(): string {
    const { op, name, outputs } = this.node;
    return name ? `${op} "${name}"` : `${op} (which gives ${outputs.filter(Boolean).join(", ")})`;
  }

  refuse(code: "onnx-attribute" | "onnx-static" | "onnx-shape" | "onnx-operator", what: string, remedy?: string): never {
    return refuse(code, `${this.title}: ${what}`, remedy);
  }

  optional(n: number): Value | undefined {
    return this.operands[n];
  }
  value(n: number): Value {
    return this.operands[n] ?? this.refuse("onnx-shape", `it has no input ${n}`);
  }
  tensor<T extends AnyTensor = Tensor>(n: number): T {
    return this.value(n).tensor as unknown as T;
  }
  /** The tensor of an optional input. */
  maybe<T extends AnyTensor = Tensor>(n: number): T | undefined {
    return this.operands[n]?.tensor as unknown as T | undefined;
  }
  shape(n: number): readonly number[] {
    return this.value(n).shape;
  }
  kind(n: number): Kind {
    return this.value(n).kind;
  }

  /** The numbers of an input that must not depend on the data; undefined when it is left out or empty. @throws onnx-static */
  numbers(n: number): readonly number[] | undefined {
    const value = this.operands[n];
    if (!value || value.size === 0) return undefined;
    if (value.size > 4096) this.refuse("onnx-static", `its input ${n} has ${value.size} elements where a few numbers are expected`);
    const known = value.known() ?? this.refuse("onnx-static", `its input ${n} depends on the data; here it must be known when the program is compiled`, "Export the model with fixed shapes.");
    return [...known];
  }
  /** One number of {@link numbers}. */
  number(n: number): number | undefined {
    const numbers = this.numbers(n);
    if (numbers && numbers.length !== 1) this.refuse("onnx-shape", `its input ${n} has ${numbers.length} elements, not one`);
    return numbers?.[0];
  }

  private attribute<K extends keyof AttributeValues>(name: string, kind: K): AttributeValues[K] | undefined {
    const attribute: OnnxAttribute | undefined = this.node.attributes[name];
    if (attribute?.kind === kind) return attribute.value as AttributeValues[K];
    return attribute === undefined ? undefined : this.refuse("onnx-attribute", `its attribute ${name} is of kind ${attribute.kind}, not ${kind}`);
  }
  has(name: string): boolean {
    return this.node.attributes[name] !== undefined;
  }
  int(name: string): number | undefined;
  int(name: string, fallback: number): number;
  int(name: string, fallback?: number): number | undefined {
    return this.attribute(name, "int") ?? fallback;
  }
  float(name: string, fallback: number): number {
    return this.attribute(name, "float") ?? fallback;
  }
  text(name: string, fallback: string): string {
    return this.attribute(name, "string") ?? fallback;
  }
  ints(name: string): readonly number[] | undefined {
    return this.attribute(name, "ints");
  }
  floats(name: string): readonly number[] | undefined {
    return this.attribute(name, "floats");
  }
  array(name: string): NdArray | undefined {
    return this.attribute(name, "tensor");
  }
  flag(name: string, fallback: boolean): boolean {
    return this.int(name, fallback ? 1 : 0) !== 0;
  }

  /** An axis from 0; negative ones count from the end. @throws onnx-attribute */
  axis(axis: number, rank: number): number {
    if (!Number.isInteger(axis) || axis < -rank || axis >= rank) this.refuse("onnx-attribute", `there is no axis ${axis} in a tensor of rank ${rank}`);
    return axis < 0 ? axis + rank : axis;
  }
  /** Axes from an attribute (older opsets) or an input (newer ones); undefined when neither is given. */
  axes(input: number, rank: number): readonly number[] | undefined {
    const given = this.ints("axes") ?? this.numbers(input);
    const axes = given?.map((axis) => this.axis(axis, rank));
    if (axes && new Set(axes).size !== axes.length) this.refuse("onnx-attribute", `axes [${given!.join(", ")}] name one axis twice`);
    return axes;
  }
}
