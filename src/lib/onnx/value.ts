import { constant, type Tensor } from "../../dsl/index.js";
import { elementCount, toFloat64, type NdArray } from "../formats/ndarray.js";

/** What ONNX's many types of elements come to here: whole numbers divide without a rest, booleans are 0 and 1. */
export type Kind = "float" | "int" | "bool";

/**
 * A value of an ONNX graph while it is imported: a tensor of the program, and its numbers where they do not depend on the data.
 * Both are made when they are first asked for, so that a weight that only says how large something is does not become an input of the program.
 */
export class Value {
  private made: Tensor | undefined;

  private constructor(
    readonly kind: Kind,
    readonly shape: readonly number[],
    private readonly make: () => Tensor,
    private readonly numbers?: () => Float64Array,
    private readonly isWeight = false,
  ) {}

  /** A tensor whose elements depend on the data. */
  static of(tensor: Tensor, kind: Kind): Value {
    return new Value(kind, tensor.shape, () => tensor);
  }

  /** Numbers that are part of the program. */
  static constant(values: Float64Array, shape: readonly number[], kind: Kind): Value {
    return new Value(kind, shape, () => constant<Tensor>(values, shape), () => values);
  }

  /** Numbers that are known and yet an input of the program: a weight. */
  static weight(array: NdArray, tensor: () => Tensor): Value {
    return new Value("float", array.shape, tensor, () => toFloat64(array), true);
  }

  static array(array: NdArray): Value {
    return Value.constant(toFloat64(array), array.shape, kindOf(array));
  }

  get size(): number {
    return elementCount(this.shape);
  }

  get tensor(): Tensor {
    return (this.made ??= this.make());
  }

  /** The elements, row-major, where they are known. */
  known(): Float64Array | undefined {
    return this.numbers?.();
  }

  /** The same numbers as a part of the program, where they are few enough to be worked out beforehand. */
  get few(): Value | undefined {
    if (!this.numbers || this.size > (this.isWeight ? FEW_WEIGHTS : FEW)) return undefined;
    return this.isWeight ? Value.constant(this.numbers(), this.shape, this.kind) : this;
  }

  /**
   * Known numbers from a tensor that depends on nothing else, by evaluating its definition in float64: this is how the arithmetic on shapes
   * that exporters leave in a graph goes away.
   */
  evaluated(): Value {
    if (this.numbers) return this;
    const values = new Float64Array(this.size);
    const { tensor, shape } = this;
    const at = shape.map(() => 0);
    for (let n = 0; n < values.length; n++) {
      values[n] = tensor(...at);
      for (let axis = shape.length - 1; axis >= 0 && ++at[axis] === shape[axis]; axis--) at[axis] = 0;
    }
    return Value.constant(values, shape, this.kind);
  }
}

const FEW = 2 ** 12;
const FEW_WEIGHTS = 16;

export const kindOf = ({ dtype }: Pick<NdArray, "dtype">): Kind => (dtype === "bool" ? "bool" : /^u?int/.test(dtype) ? "int" : "float");
