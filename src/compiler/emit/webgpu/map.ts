import { add, extentOf, indexOf, integer, scale, subtract, variable, type Affine, type Variable } from "../../../dsl/index.js";
import { IndexicalError } from "../../../dsl/errors.js";
import { Env } from "../text/keys.js";
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
    writer.reductions.together(
      threads,
      (type) => shader.shared(type === "f32" ? "partial" : "position", type, threads),
      () => writer.values([{ value: body, env }], (text) => writer.branch("thread == 0u", () => shader.store(stage, writer.index(writer.keys.apply(place, env)), text))),
    );
  },
});

/** Takes a `u32` apart into variables, the last one fastest. Indices that they spell together are taken from it at once. */
export const digits = (shader: Shader, flat: string, variables: readonly Variable[]): Env => {
  const { writer } = shader;
  const real = variables.filter((v) => extentOf(v) > 1);
  const define = (v: Variable, inner: number, whole: boolean): void =>
    writer.define(v, () => {
      const rest = inner === 1 ? flat : `${flat} / ${inner}u`;
      return `i32(${whole ? rest : `${rest} % ${extentOf(v)}u`})`;
    });
  let inner = 1;
  for (let k = real.length - 1; k >= 0; k--) {
    define(real[k]!, inner, k === 0);
    inner *= extentOf(real[k]!);
  }
  const { block } = writer;
  const runs = new Map<string, Variable>();
  writer.recombine = (a) =>
    recombine(a, real, (first, last) => {
      const key = `${first} ${last}`;
      let run = runs.get(key);
      if (!run) {
        run = variable(real.slice(first, last + 1).map((v) => v.name).join(""), product(real.slice(first, last + 1)));
        runs.set(key, run);
        writer.within(block, () => define(run!, product(real.slice(last + 1)), first === 0));
      }
      return run;
    });
  return new Env(variables.filter((v) => extentOf(v) === 1).map((v) => [v, integer(0)]));
};

/** Replaces neighbouring digits that stand in an address as in the number that they spell. */
const recombine = (address: Affine, digitsOf: readonly Variable[], spelled: (first: number, last: number) => Variable): Affine => {
  const coefficient = (k: number): number => address.terms.find((t) => t.atom.kind === "variable" && t.atom.variable === digitsOf[k])?.coefficient ?? 0;
  let result = address;
  for (let last = digitsOf.length - 1; last > 0; last--) {
    const unit = coefficient(last);
    if (unit === 0) continue;
    let first = last;
    for (let place = unit; first > 0 && coefficient(first - 1) === place * extentOf(digitsOf[first]!); first--) place *= extentOf(digitsOf[first]!);
    if (first === last) continue;
    for (let k = first; k <= last; k++) result = subtract(result, scale(indexOf(digitsOf[k]!), coefficient(k)));
    result = add(result, scale(indexOf(spelled(first, last)), unit));
    last = first;
  }
  return result;
};
