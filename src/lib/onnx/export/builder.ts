import type { OnnxAttribute, OnnxModel, OnnxNode } from "../../formats/onnx.js";
import { emptyRecord, ndarray, type NdArray } from "../../formats/ndarray.js";

/** Attributes as plain values: numbers are ints unless said to be floats. */
export type Attributes = Readonly<Record<string, number | readonly number[] | string | OnnxAttribute>>;

export const float = (value: number): OnnxAttribute => ({ kind: "float", value });

const attributeOf = (value: Attributes[string]): OnnxAttribute =>
  typeof value === "number" ? { kind: "int", value } : typeof value === "string" ? { kind: "string", value } : "kind" in value ? value : { kind: "ints", value };

/** Version 17 of the operators and IR version 8: what runtimes of 2022 and later read. */
const OPSET = 17;
const IR_VERSION = 8;

/** Collects the nodes of a model, in order, and its constants. Names that it makes up are unique. */
export class Builder {
  private readonly nodes: OnnxNode[] = [];
  private readonly initializers = emptyRecord<NdArray>();
  private readonly taken = new Set<string>();

  /** Keeps a name for a value that is not made by {@link op}. */
  reserve(name: string): void {
    this.taken.add(name);
  }

  private unique(wanted: string): string {
    let name = wanted;
    for (let n = 1; this.taken.has(name); n++) name = `${wanted}_${n}`;
    this.taken.add(name);
    return name;
  }

  /** A node with one output; gives the name of that. `"op"` or the wanted name becomes the name of node and value. */
  op(op: string, inputs: readonly string[], attributes: Attributes = {}, wanted = op): string {
    const name = this.unique(wanted);
    this.nodes.push({ name, op, domain: "", inputs, outputs: [name], attributes: Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, attributeOf(value)])) });
    return name;
  }

  /** A weight, by its name in the state dict; the same name gives the same weight. */
  weight(name: string, array: NdArray): string {
    if (this.initializers[name] !== array) {
      const free = this.unique(name);
      this.initializers[free] = array;
      return free;
    }
    return name;
  }

  floats(wanted: string, values: ArrayLike<number>, shape: readonly number[] = [values.length]): string {
    return this.weight(wanted, ndarray(Float32Array.from(values), shape));
  }
  ints(wanted: string, values: readonly number[]): string {
    return this.weight(wanted, ndarray(BigInt64Array.from(values, BigInt)));
  }

  model(name: string, inputs: Readonly<Record<string, readonly number[]>>, outputs: Readonly<Record<string, readonly number[]>>): OnnxModel {
    const values = (shapes: Readonly<Record<string, readonly number[]>>) => Object.entries(shapes).map(([key, shape]) => ({ name: key, dtype: "float32" as const, shape }));
    return { irVersion: IR_VERSION, opset: OPSET, producer: "indexical", graph: { name, nodes: this.nodes, initializers: this.initializers, inputs: values(inputs), outputs: values(outputs) } };
  }
}
