import { add, coefficientOf, extentOf, indexOf, integer, scale, shift, subtract, variable, type Affine, type Variable } from "../../../dsl/index.js";
import { IndexicalError } from "../../../dsl/errors.js";
import { Env } from "../text/keys.js";
import { product, type Region } from "./region.js";
import type { Section, Shader } from "./shader.js";

/** A region with one element a thread, or with four, neighbours along the last loop, which is then a multiple of four. */
export const mapSection = (region: Region, threads: number, each: 1 | 4 = 1): Section => {
  const { stage, loops, body, place } = region;
  const elements = product(loops);
  if (elements >= 2 ** 31)
    throw new IndexicalError("device-index-range", `${stage.name} has ${elements} elements; WebGPU counts with 32-bit integers`, { remedy: "Compute it in parts." });
  const work = elements / each;
  return {
    groups: Math.ceil(work / threads),
    write: (shader, group) => {
      const { writer } = shader;
      const flat = writer.named(`${group} * ${threads}u + thread`, "flat");
      const element = (): void => {
        if (each === 4) return four(shader, flat, region);
        const env = digits(shader, flat, loops);
        writer.values([{ value: body, env }], (text) => shader.store(stage, writer.index(writer.keys.apply(place, env)), text));
      };
      if (work % threads === 0) element();
      else writer.branch(`${flat} < ${work}u`, element);
    },
  };
};

/** Four neighbours at once: what they read in common is read once, as vectors where it lies so. */
const four = (shader: Shader, flat: string, { stage, loops, body, place }: Region): void => {
  const { writer } = shader;
  const last = loops.filter((v) => extentOf(v) > 1).at(-1)!;
  const quad = variable(last.name, extentOf(last) / 4);
  const base = digits(shader, flat, loops.map((v) => (v === last ? quad : v)));
  const first = scale(base.images.get(quad) ?? indexOf(quad), 4);
  const envs = [0, 1, 2, 3].map((d) => base.with([[last, shift(first, d)]]));
  const texts: string[] = [];
  writer.neighbours(last, quad, shader, () => writer.values(envs.map((env) => ({ value: body, env })), (text) => texts.push(text)));
  const address = (env: Env): Affine => writer.keys.apply(place, env);
  if (shader.storesVectors) shader.storeVector(stage, address(envs[0]!), `vec4f(${texts.join(", ")})`);
  else texts.forEach((text, d) => shader.store(stage, writer.index(address(envs[d]!)), text));
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
  const coefficient = (k: number): number => coefficientOf(address, digitsOf[k]!);
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
