import { add, extentOf, indexOf, integer, scale, type Affine, type Variable } from "../../../dsl/index.js";
import { IndexicalError } from "../../../dsl/errors.js";
import type { Piece, Stage } from "../../ir.js";
import { offsetOf, rowMajor } from "../../schedule/layout.js";
import { Env } from "../gpujs/keys.js";
import type { Section, Shader } from "./shader.js";

/** The elements of a piece. */
export const elementsOf = (piece: Piece): number => piece.axes.reduce((n, a) => n * extentOf(a.variable), 1);

/** A piece with one element a thread, neighbours along the last axis. */
export const mapSection = (stage: Stage, piece: Piece, threads: number): Section => {
  const elements = elementsOf(piece);
  if (elements >= 2 ** 31)
    throw new IndexicalError("device-index-range", `${stage.name} has ${elements} elements; WebGPU counts with 32-bit integers`, { remedy: "Compute it in parts." });
  return {
    groups: Math.ceil(elements / threads),
    write: (shader, group) => {
      const { writer } = shader;
      const flat = writer.named(`${group} * ${threads}u + thread`, "flat");
      const body = (): void => {
        const env = digits(shader, flat, piece.axes.map((a) => a.variable));
        writer.values([{ value: piece.body, env }], (text) => shader.store(stage, writer.index(writer.keys.apply(placeIn(stage, piece), env)), text));
      };
      if (elements % threads === 0) body();
      else writer.branch(`${flat} < ${elements}u`, body);
    },
  };
};

/** The element offset, in a row-major stage, of what a piece computes. */
export const placeIn = (stage: Stage, piece: Piece): Affine =>
  offsetOf(rowMajor(stage.shape), piece.axes.map((a) => add(scale(indexOf(a.variable), a.step), integer(a.start))));

/** Takes a `u32` apart into variables, the last one fastest. */
export const digits = (shader: Shader, flat: string, variables: readonly Variable[]): Env => {
  const { writer } = shader;
  const real = variables.filter((v) => extentOf(v) > 1);
  let rest = flat;
  for (let k = real.length - 1; k >= 0; k--) {
    const v = real[k]!;
    writer.define(v, writer.named(k === 0 ? `i32(${rest})` : `i32(${rest} % ${extentOf(v)}u)`, v.name));
    if (k > 0) rest = writer.named(`${rest} / ${extentOf(v)}u`, "rest");
  }
  return new Env(variables.filter((v) => extentOf(v) === 1).map((v) => [v, integer(0)]));
};
