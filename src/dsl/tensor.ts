import { IndexicalError, type Span } from "./errors.js";
import { freshTensorId, type TensorNode } from "./expr.js";

/** An index of a tensor: an integer from 0 up to, and excluding, the extent of its axis. */
export type Index = number;

/**
 * A shape and a pure function from indices to a number. `x(n, c, d, h, v)` is an element: symbolic in quoted code;
 * on concrete integers it is evaluated in float64, when everything that it reads is known.
 */
export interface Tensor<I extends readonly number[] = readonly number[]> {
  (...indices: I): number;
  readonly shape: { readonly [K in keyof I]: number };
  readonly rank: I["length"];
}

/** A tensor of any rank. */
// eslint-disable-next-line -- parameters of a callable are contravariant, so "any rank" can only be said with never.
export type AnyTensor = { readonly shape: readonly number[]; readonly rank: number } & ((...indices: never) => number);

/** Activations of a 3D network, NCDHW: batch, channel, depth, height, width. */
export type Volume = Tensor<[n: Index, c: Index, d: Index, h: Index, v: Index]>;
/** Activations of a 2D network, NCHW. */
export type Image = Tensor<[n: Index, c: Index, h: Index, v: Index]>;
/** Weights of a 3D convolution: out-channel, in-channel (of the group), and three taps. */
export type Kernel3d = Tensor<[o: Index, c: Index, i: Index, j: Index, k: Index]>;
/** Weights of a 2D convolution: out-channel, in-channel (of the group), and two taps. */
export type Kernel2d = Tensor<[o: Index, c: Index, i: Index, j: Index]>;
export type Matrix = Tensor<[i: Index, j: Index]>;
export type Vector = Tensor<[i: Index]>;
export type Scalar = Tensor<[]>;

const nodes = new WeakMap<object, TensorNode>();

/** How one element is found on concrete numbers; set by evaluate.ts, which depends on this file. */
let evaluator: ((node: TensorNode, indices: readonly number[]) => number) | undefined;
export const setEvaluator = (f: (node: TensorNode, indices: readonly number[]) => number): void => {
  evaluator = f;
};

/** Wraps a node as the callable that users see. */
export const fromNode = <T extends AnyTensor = AnyTensor>(node: TensorNode): T => {
  const call = (...indices: number[]): number => evaluator!(node, indices);
  Object.defineProperties(call, {
    shape: { value: Object.freeze([...node.shape]), enumerable: true },
    rank: { value: node.shape.length, enumerable: true },
    name: { value: node.kind === "input" ? node.name : "tensor" },
  });
  nodes.set(call, node);
  return call as unknown as T;
};

export const isTensor = (x: unknown): x is AnyTensor => typeof x === "function" && nodes.has(x);

/** The node behind a tensor. */
export const nodeOf = (x: unknown): TensorNode => {
  const node = typeof x === "function" ? nodes.get(x) : undefined;
  if (!node) throw new IndexicalError("not-a-tensor", `expected a tensor, got ${describe(x)}`, { remedy: "Make one with tensor(shape, f), constant(values, shape), or take it as an input of the program." });
  return node;
};

export const describe = (x: unknown): string =>
  x === null || x === undefined ? String(x) : Array.isArray(x) ? `an array of ${x.length}` : typeof x === "function" ? "a function" : typeof x === "object" ? "an object" : typeof x === "string" ? `the text ${JSON.stringify(x)}` : typeof x === "symbol" ? "a symbol" : `the ${typeof x} ${String(x)}`;

export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Refuses what is not a list of at most 6 non-negative integers. */
export const checkShape = (shape: unknown, what: string, span?: Span): readonly number[] => {
  if (!Array.isArray(shape)) throw new IndexicalError("shape-type", `${what} must be an array of extents, got ${describe(shape)}`, { span, remedy: "Write one non-negative integer per axis, for example [1, 3, 32, 32, 32]." });
  shape.forEach((n, axis) => {
    if (typeof n !== "number" || !Number.isSafeInteger(n) || n < 0)
      throw new IndexicalError("shape-extent", `${what}: extent ${typeof n === "number" ? n : describe(n)} on axis ${axis} of [${shape.map(String).join(", ")}]`, {
        span,
        remedy: typeof n === "number" && Number.isFinite(n) && !Number.isInteger(n) ? "Extents are non-negative integers: round it with Math.floor or Math.ceil." : "Extents are non-negative integers.",
      });
  });
  if (shape.length > 6) throw new IndexicalError("shape-rank", `${what} has rank ${shape.length}; the most is 6`, { span, remedy: "Fold axes into one." });
  const size = sizeOf(shape as number[]);
  if (!Number.isSafeInteger(size)) throw new IndexicalError("shape-size", `${what} [${shape.join(", ")}] has more than 2^53 elements`, { span });
  return shape as number[];
};

/** An input of a program, of a known shape. */
export const input = <T extends AnyTensor = AnyTensor>(name: string, shape: readonly number[]): T =>
  fromNode<T>({ kind: "input", id: freshTensorId(), name, shape: [...checkShape(shape, `the shape of ${name}`)] });

type Nested = number | readonly Nested[];

/**
 * A tensor of numbers known now. `values` is flat and row-major (or nested arrays, which give the shape).
 * A Float32Array or Float64Array is not copied: leave it as it is afterwards.
 * @throws constant-size, constant-ragged, constant-type, shape-*.
 */
export const constant = <T extends AnyTensor = Tensor>(values: ArrayLike<number> | Nested, shape?: readonly number[]): T => {
  const flat: number[] = [];
  let inferred: number[] | undefined;
  let data: Float32Array | Float64Array;
  if (typeof values === "number") {
    data = Float64Array.of(values);
    inferred = [];
  } else if (values instanceof Float32Array || values instanceof Float64Array) {
    data = values;
    inferred = [values.length];
  } else if (Array.isArray(values) && Array.isArray(values[0])) {
    inferred = [];
    for (let v: Nested = values as Nested; Array.isArray(v); v = v[0] as Nested) inferred.push(v.length);
    const walk = (v: Nested, depth: number): void => {
      if (typeof v === "number") {
        if (depth !== inferred!.length) throw ragged();
        flat.push(v);
      } else {
        if (!Array.isArray(v)) throw new IndexicalError("constant-type", `constant was given ${describe(v)} in its nested arrays`, { remedy: "Give numbers only." });
        if (v.length !== inferred![depth]) throw ragged();
        for (const w of v) walk(w, depth + 1);
      }
    };
    walk(values as Nested, 0);
    data = Float64Array.from(flat);
  } else {
    if (typeof values !== "object" || values === null || !("length" in values))
      throw new IndexicalError("constant-type", `constant was given ${describe(values)}`, { remedy: "Give numbers: a flat array with a shape, nested arrays, or one number." });
    const wrong = Array.prototype.findIndex.call(values, (v: unknown) => typeof v !== "number");
    if (wrong >= 0)
      throw new IndexicalError("constant-type", `constant was given ${describe((values as ArrayLike<unknown>)[wrong])} at position ${wrong}`, { remedy: "Give numbers only." });
    data = Float64Array.from(values as ArrayLike<number>);
    inferred = [data.length];
  }
  const checked = checkShape(shape ? [...shape] : inferred, "the shape of a constant");
  if (sizeOf(checked) !== data.length)
    throw new IndexicalError("constant-size", `${data.length} numbers were given for shape [${checked.join(", ")}], which has ${sizeOf(checked)} elements`, { remedy: "Give one number per element, row-major." });
  return fromNode<T>({ kind: "constant", id: freshTensorId(), shape: [...checked], data });
};

const ragged = () => new IndexicalError("constant-ragged", "the nested arrays of a constant have different lengths", { remedy: "Give flat values and a shape." });
