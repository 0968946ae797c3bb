import { extentOf } from "../../dsl/index.js";
import type { Input, Piece, Program, Source, Stage, Value } from "../ir.js";
import { reads, redirect, reduces } from "../schedule/values.js";
import { visitValues } from "../values.js";

/** One kernel as a program of its own: what it reads are inputs, and other pieces of its stage stay unwritten. */
export interface Alone {
  readonly program: Program;
  /** What each input stands for in the program that the kernel is part of. */
  readonly from: ReadonlyMap<Source, Source>;
}

/** Name of the only stage. */
export const stageName = "kernel";

export const alone = (stage: Stage, piece: Piece): Alone => {
  const inputs = new Map<Source, Input>();
  for (const { source } of reads(piece.body)) if (!inputs.has(source)) inputs.set(source, { kind: "input", name: `in${inputs.size}`, shape: source.shape });
  const own: Stage = { kind: "stage", name: stageName, shape: stage.shape, pieces: [{ axes: piece.axes, body: redirect(piece.body, inputs) }] };
  return {
    program: { inputs: [...inputs.values()], stages: [own], outputs: [{ name: "output", source: own }] },
    from: new Map([...inputs].map(([source, input]): [Source, Source] => [input, source]).concat([[own, stage]])),
  };
};

/** Small integers, the same on every machine; products and sums of thousands of them are exact in float32. */
export const integers = (inputs: readonly Input[]): Readonly<Record<string, Float32Array>> =>
  Object.fromEntries(
    inputs.map(({ name, shape }, k) => {
      let state = 0x9e3779b9 * (k + 1);
      const next = (): number => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return (state >>> 24) % 5;
      };
      return [name, Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => next() - 2)];
    }),
  );

const exactOps: ReadonlySet<string> = new Set(["neg", "abs", "sign", "floor", "ceil", "round", "trunc", "add", "sub", "mul", "min", "max"]);

/** Largest sum of products of two numbers up to 2 that float32 counts without gaps. */
const mostTerms = 2 ** 22;

/** Whether integers stay integers below 2^24, so that every right schedule gives the same bits. */
export const isExact = ({ body }: Piece): boolean => {
  let exact = reduces(body).every((r) => r.loops.reduce((n, v) => n * extentOf(v), 1) <= mostTerms && reduces(r.body).length === 0);
  visitValues(body, (v: Value) => {
    if (v.kind === "uniform") exact = false;
    else if (v.kind === "unary" || v.kind === "binary") exact &&= exactOps.has(v.op);
    else if (v.kind === "constant") exact &&= !Number.isFinite(v.value) || (Number.isInteger(v.value) && Math.abs(v.value) <= 64);
    else if (v.kind === "reduce" && v.op === "prod") exact = false;
  });
  return exact;
};
