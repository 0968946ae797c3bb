import { vjp } from "../../compiler/index.js";
import { sizeOf, type Tensor } from "../../dsl/index.js";
import { toFloat64, type NdArray } from "../../lib/formats/index.js";
import type { GoldenCase, Tolerance } from "./case.js";
import type { Computed } from "./compare.js";
import type { Outcome } from "./family.js";
import type { Ran, RecordingMachine } from "./machine.js";

/** What gradients may differ by: next to the largest number of their tensor. */
export const gradientTolerance = (expected: NdArray): Tolerance => ({ rtol: 2e-4, atol: 2e-4 * toFloat64(expected).reduce((most, v) => Math.max(most, Math.abs(v)), 0) });

/** A gradient that the case stores: of which of its outputs, by which of its inputs, and what the output is multiplied with. */
interface Wanted {
  readonly name: string;
  readonly output: string;
  readonly by: string;
  readonly seed: string | undefined;
}

/** The one of `names` that there is. */
const first = (arrays: GoldenCase["arrays"], ...names: readonly string[]): string | undefined => names.find((name) => name in arrays);

/**
 * What a name means: `grad.input.x` and `grad.param.weight` are of `output`; `grad.<name>` is of `output.<name>` by the input of its
 * shape; `grad.pred` is of the only output by `input.pred`. Multiplied with `g`, `g.<name>`, or 1. Undefined when it means none of these.
 */
const meaningOf = ({ arrays }: GoldenCase, name: string, outputs: readonly string[]): Wanted | undefined => {
  const rest = name.slice("grad.".length);
  const shape = arrays[name]!.shape.join();
  const only = outputs.filter((o) => o.startsWith("output"));
  const whole = (by: string): Wanted | undefined => (only.length === 1 ? { name, output: only[0]!, by, seed: first(arrays, "g") } : undefined);
  if (/^(input|param)\./.test(rest)) return whole(rest);
  if (`output.${rest}` in arrays) {
    const by = Object.keys(arrays).find((array) => array.startsWith("input.") && arrays[array]!.shape.join() === shape);
    return by === undefined ? undefined : { name, output: `output.${rest}`, by, seed: first(arrays, `g.${rest}`) };
  }
  return `input.${rest}` in arrays ? whole(`input.${rest}`) : undefined;
};

/** The program that gave an output, and the name that it has there: the numbers are the same ones. */
const sourceOf = (ran: readonly Ran[], output: Computed): { readonly from: Ran; readonly key: string } | undefined => {
  for (const from of ran) for (const [key, result] of Object.entries(from.results)) if (result.data === output.data) return { from, key };
  return undefined;
};

/**
 * The gradients that a case stores, computed from the programs that gave its outputs, by their names in the file. Those that
 * have no meaning here are left out.
 */
export const gradientsOf = async (golden: GoldenCase, { outputs }: Outcome, machine: RecordingMachine): Promise<Readonly<Record<string, Computed>>> => {
  const wanted = Object.keys(golden.arrays)
    .filter((name) => name.startsWith("grad.") && !(name in outputs))
    .flatMap((name) => meaningOf(golden, name, Object.keys(outputs)) ?? []);
  const computed: Record<string, Computed> = {};
  for (const output of new Set(wanted.map((w) => w.output))) {
    const source = outputs[output] && sourceOf(machine.ran, outputs[output]);
    if (!source) continue;
    const { from, key } = source;
    // Parameters that a recipe gives, or that were converted, are not those of the file; networks take them by the names that the case has.
    const inputOf = (array: string): string | undefined =>
      Object.keys(from.inputs).find((name) => array in golden.arrays && from.inputs[name] === golden.arrays[array]) ?? (array in from.inputs ? array : undefined);
    const mine = wanted.flatMap((w) => {
      const input = w.output === output ? inputOf(w.by) : undefined;
      return input === undefined ? [] : [{ ...w, input }];
    });
    if (mine.length === 0) continue;
    const program = vjp(
      (inputs: Readonly<Record<string, Tensor>>) => from.program(inputs)[key]!,
      mine.map((w) => w.input),
    );
    const shape = from.results[key]!.shape;
    const data = mine[0]!.seed === undefined ? new Float32Array(sizeOf(shape)).fill(1) : golden.arrays[mine[0]!.seed]!.data;
    const results = await machine.run(program as never, { ...from.inputs, g: { data, shape, dtype: "float32" } as NdArray });
    for (const { name, input } of mine) computed[name] = results[input]!;
  }
  return computed;
};
