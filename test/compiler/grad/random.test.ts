import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compile, IndexicalError, vjp } from "../../../src/index.js";
import { readsOf } from "../../../src/compiler/lower.js";
import { runPasses } from "../../../src/compiler/passes.js";
import { reachable, trace } from "../../../src/compiler/trace.js";
import { Evaluation, float64, sizeOf } from "../../../src/dsl/index.js";
import { difference } from "../../support/meaning.js";
import { interpret } from "../../support/interpret.js";
import { programs, type LanguageProgram } from "../../support/programs.js";
import { programOf, Tangent } from "./tangent.js";
import { runs } from "../../support/runs.js";

const small = (n: number, seed: number): Float64Array => Float64Array.from({ length: n }, (_, k) => (((k + 1) * (2 * seed + 7)) % 5) - 2);

const inner = (a: ArrayLike<number>, b: ArrayLike<number>): number => Array.from(a).reduce((sum, v, k) => sum + v * b[k]!, 0);

/** The adjoint program of a random program, over its inputs and one more for each output; undefined when it is refused, as it may be. */
const adjointOf = (program: LanguageProgram) => {
  const { traced } = program;
  const shapes: Record<string, readonly number[]> = Object.fromEntries(traced.inputs.map((i) => [i.name, i.shape]));
  const seeds: Record<string, Float64Array> = {};
  traced.outputs.forEach(({ name, node }, k) => {
    shapes[`g.${name}`] = node.shape;
    seeds[`g.${name}`] = small(sizeOf(node.shape), k);
  });
  try {
    const adjoint = trace(vjp(programOf(traced) as never) as never, shapes);
    return { adjoint, shapes, inputs: { ...program.inputs, ...seeds }, seeds };
  } catch (error) {
    if (error instanceof IndexicalError && error.code === "grad-discrete") return undefined;
    throw error;
  }
};

/** fast-check prints the seed of a failure; RUNS=5000 takes more. */
describe("random programs of the language", () => {
  it("have the adjoint that forward mode says", () => {
    let [taken, refused] = [0, 0];
    fc.assert(
      fc.property(programs(), (program) => {
        const made = adjointOf(program);
        if (!made) return void refused++;
        taken++;
        const { adjoint, inputs, seeds } = made;
        const evaluation = new Evaluation(float64, (node) => inputs[node.name as never]!);
        const gradients = Object.fromEntries(adjoint.outputs.map(({ name, node }) => [name, evaluation.all(node)]));
        const moves = Object.fromEntries(program.traced.inputs.map((i, k) => [i.name, small(sizeOf(i.shape), k + 3)]));
        const tangent = new Tangent(program.inputs, moves);
        const forward = program.traced.outputs.reduce((sum, { name, node }) => sum + inner(tangent.of(node).map((d) => d.change), seeds[`g.${name}`]!), 0);
        const backward = Object.entries(gradients).reduce((sum, [name, g]) => sum + inner(g, moves[name]!), 0);
        expect(backward).toBe(forward);
        const passed = interpret(runPasses(adjoint, { verify: true }), inputs as never);
        expect(difference(gradients, Object.fromEntries(Object.entries(passed).map(([k, v]) => [k, v.data])))).toBe(undefined);
      }),
      { numRuns: runs(1000) },
    );
    // Most programs have a derivative: the others hold a step where it is a value.
    expect(taken).toBeGreaterThan(5 * refused);
  }, 600_000);

  it("have the same adjoint on wasm", async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(programs(), async (program) => {
        const made = adjointOf(program);
        if (!made) return;
        const { adjoint, shapes, inputs } = made;
        const evaluation = new Evaluation(float64, (node) => inputs[node.name as never]!);
        const nodes = reachable(adjoint, readsOf);
        // All that is stored has to be exact in float32.
        if (!nodes.every((node) => Array.from(evaluation.all(node)).every((v) => Math.abs(v) < 2 ** 14 && Number.isInteger(v * 64)))) return;
        compared++;
        const compiled = await compile(vjp(programOf(program.traced) as never) as never, shapes as never, { device: "wasm" });
        try {
          const result = (await compiled.run(inputs as never)) as unknown as Readonly<Record<string, { data: Float32Array }>>;
          const expected = Object.fromEntries(adjoint.outputs.map(({ name, node }) => [name, evaluation.all(node)]));
          expect(difference(expected, Object.fromEntries(Object.entries(result).map(([name, { data }]) => [name, data])))).toBe(undefined);
        } finally {
          compiled.dispose();
        }
      }),
      { numRuns: runs(60) },
    );
    expect(compared).toBeGreaterThan(10);
  }, 600_000);
});
