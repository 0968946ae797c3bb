import { extentOf, integer, type Variable } from "../../../dsl/index.js";
import { IndexicalError } from "../../../dsl/errors.js";
import { Env } from "../gpujs/keys.js";
import { product, type Region } from "./region.js";
import type { Section, Shader } from "./shader.js";

/** A region with one element a thread, neighbours along the last loop. */
export const mapSection = ({ stage, loops, body, place }: Region, threads: number): Section => {
  const elements = product(loops);
  if (elements >= 2 ** 31)
    throw new IndexicalError("device-index-range", `${stage.name} has ${elements} elements; WebGPU counts with 32-bit integers`, { remedy: "Compute it in parts." });
  return {
    groups: Math.ceil(elements / threads),
    write: (shader, group) => {
      const { writer } = shader;
      const flat = writer.named(`${group} * ${threads}u + thread`, "flat");
      const element = (): void => {
        const env = digits(shader, flat, loops);
        writer.values([{ value: body, env }], (text) => shader.store(stage, writer.index(writer.keys.apply(place, env)), text));
      };
      if (elements % threads === 0) element();
      else writer.branch(`${flat} < ${elements}u`, element);
    },
  };
};

/** A region with one element a workgroup, whose threads share the long reductions. `threads` is a power of two. */
export const reduceSection = ({ stage, loops, body, place }: Region, threads: number): Section => ({
  groups: product(loops),
  write: (shader, group) => {
    const { writer } = shader;
    const env = digits(shader, group, loops);
    writer.together(
      threads,
      (type) => shader.shared(type === "f32" ? "partial" : "position", type, threads),
      () => writer.values([{ value: body, env }], (text) => writer.branch("thread == 0u", () => shader.store(stage, writer.index(writer.keys.apply(place, env)), text))),
    );
  },
});

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
