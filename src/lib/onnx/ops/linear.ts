import { broadcast, sum, tensor, transpose, type Matrix, type Tensor } from "../../../dsl/index.js";
import { Value } from "../value.js";
import type { Call, Operator } from "../call.js";
import { commonShape } from "./elementwise.js";

/** alpha A B + beta C, with A and B transposed where said. */
const gemm: Operator = (call) => {
  const oriented = (n: number, flag: string): Matrix => {
    const m = call.tensor<Matrix>(n);
    if (m.rank !== 2) call.refuse("onnx-shape", `its input ${n} has shape [${call.shape(n).join(", ")}], no matrix`);
    return call.flag(flag, false) ? transpose(m, [1, 0]) : m;
  };
  const [a, b] = [oriented(0, "transA"), oriented(1, "transB")];
  if (a.shape[1] !== b.shape[0]) call.refuse("onnx-shape", `[${a.shape.join(", ")}] times [${b.shape.join(", ")}]`);
  const [alpha, beta] = [call.float("alpha", 1), call.float("beta", 1)];
  const shape = [a.shape[0], b.shape[1]];
  const bias = beta === 0 ? undefined : call.maybe(2);
  const c = bias && broadcast<Matrix>(bias, shape);
  return Value.of(tensor(shape, (i, j) => {
    const product = sum([a.shape[1]], (k) => a(i, k) * b(k, j));
    const scaled = alpha === 1 ? product : alpha * product;
    return c ? scaled + (beta === 1 ? c(i, j) : beta * c(i, j)) : scaled;
  }), "float");
};

/** NumPy's matmul: matrices in the last two axes, the axes before them broadcast; a vector is a row on the left, a column on the right. */
const matmul: Operator = (call) => {
  const [a, b] = [asMatrices(call, 0), asMatrices(call, 1)];
  const [m, k] = a.shape.slice(-2);
  const [rows, n] = b.shape.slice(-2);
  if (k !== rows) call.refuse("onnx-shape", `[${call.shape(0).join(", ")}] times [${call.shape(1).join(", ")}]`);
  const batch = commonShape(call, [a.shape.slice(0, -2), b.shape.slice(0, -2)]);
  const left = broadcast<Tensor>(a, [...batch, m, k]);
  const right = broadcast<Tensor>(b, [...batch, k, n]);
  const r = batch.length;
  const [row, column] = [call.shape(0).length > 1, call.shape(1).length > 1];
  const shape = [...batch, ...(row ? [m] : []), ...(column ? [n] : [])];
  return Value.of(tensor(shape, (...at) => {
    const i = row ? at[r] : 0;
    const j = column ? at[at.length - 1] : 0;
    return sum([k], (t) => left(...at.slice(0, r), i, t) * right(...at.slice(0, r), t, j));
  }), call.kind(0));
};

const asMatrices = (call: Call, n: number): Tensor => {
  const x = call.tensor(n);
  if (x.rank === 0) return call.refuse("onnx-shape", `its input ${n} is a single number`);
  if (x.rank > 1) return x;
  return n === 0 ? tensor([1, x.shape[0]], (_i, k) => x(k)) as unknown as Tensor : tensor([x.shape[0], 1], (k, _j) => x(k)) as unknown as Tensor;
};

/** Products of matrices. */
export const linear: Readonly<Record<string, Operator>> = { Gemm: gemm, MatMul: matmul };
