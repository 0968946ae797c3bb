import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compile, type Tensor, type Vector } from "../../../src/index.js";
import { adam, cosine, multiStep, polynomial, rmsprop, sgd, warmUp, type Optimizer } from "../../../src/lib/training/index.js";

const numbers = fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 3, maxLength: 3 });

/** Parameters after some steps, by compiling the step once. */
const train = async <S extends string>(
  optimizer: Optimizer<S>,
  start: readonly number[],
  gradients: readonly (readonly number[])[],
  rate: number,
): Promise<number[]> => {
  const shapes = { parameter: [3], gradient: [3], rate: [], count: [], ...Object.fromEntries(optimizer.state.map((s) => [s, [3]])) };
  const program = await compile(
    (tensors: Readonly<Record<string, Tensor>>) => optimizer.step(tensors as never) as Readonly<Record<string, Vector>>,
    shapes,
    { device: "reference" },
  );
  let state: Record<string, readonly number[]> = { parameter: start, ...Object.fromEntries(optimizer.state.map((s) => [s, [0, 0, 0]])) };
  for (const [step, gradient] of gradients.entries()) {
    const after = await program.run({ ...state, gradient, rate: [rate], count: [step + 1] });
    state = Object.fromEntries(Object.entries(after).map(([name, { data }]) => [name, [...data]]));
  }
  program.dispose();
  return [...state["parameter"]];
};

const expectClose = (actual: readonly number[], expected: readonly number[]): void =>
  actual.forEach((v, i) => expect(v).toBeCloseTo(expected[i], 10));

describe("optimisers against plain loops", () => {
  const check = async <S extends string>(optimizer: Optimizer<S>, plain: (p: number, gradients: readonly number[]) => number): Promise<void> => {
    await fc.assert(
      fc.asyncProperty(numbers, fc.array(numbers, { minLength: 1, maxLength: 4 }), async (start, gradients) => {
        expectClose(
          await train(optimizer, start, gradients, 0.1),
          start.map((p, i) =>
            plain(
              p,
              gradients.map((g) => g[i]),
            ),
          ),
        );
      }),
      { numRuns: 15 },
    );
  };
  it("SGD", async () => {
    await check(sgd({ momentum: 0.9, weightDecay: 0.01 }), (p, gradients) => {
      let velocity = 0;
      for (const g of gradients) {
        velocity = 0.9 * velocity + g + 0.01 * p;
        p -= 0.1 * velocity;
      }
      return p;
    });
    await check(sgd(), (p, gradients) => p - 0.1 * gradients.reduce((a, b) => a + b, 0));
  });
  it("Adam", async () => {
    await check(adam({ betas: [0.8, 0.95], epsilon: 1e-6, weightDecay: 0.1 }), (p, gradients) => {
      let [m, v] = [0, 0];
      gradients.forEach((gradient, t) => {
        const g = gradient + 0.1 * p;
        m = 0.8 * m + 0.2 * g;
        v = 0.95 * v + 0.05 * g * g;
        p -= (0.1 * (m / (1 - 0.8 ** (t + 1)))) / (Math.sqrt(v / (1 - 0.95 ** (t + 1))) + 1e-6);
      });
      return p;
    });
  });
  it("RMSprop", async () => {
    await check(rmsprop({ decay: 0.9, epsilon: 1e-4, momentum: 0.6, weightDecay: 0.1 }), (p, gradients) => {
      let [s, velocity] = [0, 0];
      for (const gradient of gradients) {
        const g = gradient + 0.1 * p;
        s = 0.9 * s + 0.1 * g * g;
        velocity = 0.6 * velocity + g / (Math.sqrt(s) + 1e-4);
        p -= 0.1 * velocity;
      }
      return p;
    });
  });
  it("a first Adam step has the length of the rate", async () => {
    expectClose(await train(adam({ epsilon: 0 }), [0, 0, 0], [[5, -0.01, 1]], 0.1), [-0.1, 0.1, -0.1]);
  });
  it("options have to be numbers of at least 0", () => {
    expect(() => sgd({ momentum: -1 })).toThrow("momentum is -1");
    expect(() => adam({ weightDecay: NaN })).toThrow("weightDecay is NaN");
  });
});

describe("schedules", () => {
  it("fall at milestones, and never at half an epoch", () => {
    const rate = multiStep(1, [25, 37.5], 0.1);
    expect([0, 24, 25, 37, 38, 49].map(rate)).toEqual([1, 1, 0.1, 0.1, 0.1, 0.1]);
    expect(multiStep(1, [2, 4], 0.5)(4)).toBe(0.25);
  });
  it("run to zero", () => {
    expect([0, 50, 100, 120].map(cosine(0.2, 100))).toEqual([0.2, 0.1, 0, 0].map((v) => expect.closeTo(v, 12)));
    expect([0, 100, 120].map(polynomial(0.2, 100))).toEqual([0.2, 0, 0]);
    expect(polynomial(1, 100, 2)(90)).toBeCloseTo(0.01, 12);
  });
  it("warm up", () => {
    const rate = warmUp(() => 2, 10, 0.1);
    expect([rate(0), rate(5), rate(10)]).toEqual([expect.closeTo(0.2, 12), expect.closeTo(1.1, 12), 2]);
  });
});
