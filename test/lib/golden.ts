import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { compile, type AnyTensor, type ProgramOutput, type Result } from "../../src/index.js";
import { readSafetensors } from "../../src/lib/formats/safetensors.js";
import { toFloat64 } from "../../src/lib/formats/ndarray.js";

const folder = new URL("../goldens/", import.meta.url);

export interface Numbers {
  readonly data: Float64Array;
  readonly shape: readonly number[];
}

export interface Golden {
  readonly inputs: Readonly<Record<string, Numbers>>;
  readonly params: Readonly<Record<string, Numbers>>;
  readonly expected: (name: string) => Numbers;
  /** The tolerance for float32 on a CPU; the reference computes in float64 and has to be inside it. */
  readonly tolerance: { readonly rtol: number; readonly atol: number };
}

/** A golden case by its id. */
export const golden = (id: string): Golden => {
  const arrays = readSafetensors(readFileSync(new URL(`${id}.safetensors`, folder)));
  const { tolerance } = JSON.parse(readFileSync(new URL(`${id}.json`, folder), "utf8"));
  const of = (name: string): Numbers => ({ data: toFloat64(arrays[name]), shape: arrays[name].shape });
  const named = (prefix: string) =>
    Object.fromEntries(Object.keys(arrays).flatMap((name) => (name.startsWith(prefix) ? [[name.slice(prefix.length), of(name)] as const] : [])));
  return { inputs: named("input."), params: named("param."), expected: of, tolerance: tolerance.strict ?? tolerance };
};

/** Runs a program of the inputs and parameters of a case on the reference. */
export const runGolden = async ({ inputs, params }: Golden, f: (inputs: Record<string, never>, params: Record<string, AnyTensor>) => ProgramOutput): Promise<Readonly<Record<string, Result>>> => {
  const given = { ...inputs, ...params };
  const program = await compile(
    (all: Record<string, AnyTensor>) => {
      const pick = (names: object) => Object.fromEntries(Object.keys(names).map((name) => [name, all[name]]));
      const output = f(pick(inputs) as Record<string, never>, pick(params));
      return typeof output === "object" ? output : { output };
    },
    Object.fromEntries(Object.entries(given).map(([name, { shape }]) => [name, shape])),
    { device: "reference" },
  );
  return (await program.run(given)) as Readonly<Record<string, Result>>;
};

/** Every element within `atol + rtol |expected|`. */
export const expectClose = (actual: Result, expected: Numbers, { rtol, atol }: { rtol: number; atol: number }): void => {
  expect(actual.shape).toEqual(expected.shape);
  let worst = { excess: -Infinity, at: 0 };
  expected.data.forEach((e, at) => {
    const excess = Math.abs(actual.data[at] - e) - (atol + rtol * Math.abs(e));
    if (!(excess <= worst.excess)) worst = { excess, at };
  });
  const { excess, at } = worst;
  expect(excess, `element ${at}: ${actual.data[at]} for ${expected.data[at]}`).toBeLessThanOrEqual(0);
};
