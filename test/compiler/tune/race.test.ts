import { describe, expect, test } from "vitest";
import { agrees, race, type Contestant } from "../../../src/compiler/tune/race.js";

interface Car {
  readonly name: string;
  readonly ms: number;
  readonly data: readonly number[];
  /** From this run on it gives other numbers. */
  readonly breaksAt?: number;
}

/** Contestants whose times are what they say; `alive` counts those that were not disposed of. */
const track = () => {
  const state = { alive: 0, most: 0 };
  const start = async ({ ms, data, breaksAt = Infinity }: Car): Promise<Contestant> => {
    state.most = Math.max(state.most, ++state.alive);
    let run = 0;
    return { run: async () => ({ data: run++ >= breaksAt ? data.map((v) => v + 1) : data, ms }), dispose: () => void state.alive-- };
  };
  return { state, start };
};

const right = [1, 2, 3];
const run = (cars: readonly Car[], exact = true) => {
  const { state, start } = track();
  return race({ candidates: cars, start, exact }).then((outcome) => ({ ...outcome, state }));
};

describe("a race", () => {
  test("is won by the fastest of those that are right", async () => {
    const { winner, ms, firstMs, wrong, state } = await run([
      { name: "model", ms: 10, data: right },
      { name: "slow", ms: 20, data: right },
      { name: "fast", ms: 5, data: right },
      { name: "middle", ms: 7, data: right },
    ]);
    expect([winner.name, ms, firstMs]).toEqual(["fast", 5, 10]);
    expect(wrong).toEqual([]);
    expect(state).toEqual({ alive: 0, most: 2 });
  });

  test("is never won by one that is wrong, however fast: at once, or only in a later run", async () => {
    const { winner, wrong, state } = await run([
      { name: "model", ms: 10, data: right },
      { name: "wrong", ms: 0.1, data: [1, 2, 4] },
      { name: "short", ms: 0.1, data: [1, 2] },
      { name: "late", ms: 0.1, data: right, breaksAt: 6 },
      { name: "nan", ms: 0.1, data: [1, NaN, 3] },
    ]);
    expect(winner.name).toBe("model");
    expect(wrong.map((c) => c.name)).toEqual(["wrong", "short", "late", "nan"]);
    expect(state.alive).toBe(0);
  });

  test("leaves out what does not start, and stays with the model when the gain is noise", async () => {
    const { start, state } = track();
    const outcome = await race({
      candidates: [{ name: "model", ms: 10, data: right }, { name: "broken", ms: 1, data: right }, { name: "equal", ms: 9.9, data: right }] as Car[],
      start: async (car) => {
        if (car.name === "broken") throw new Error("no such instruction");
        return start(car);
      },
      exact: true,
    });
    expect(outcome.winner.name).toBe("model");
    expect(outcome.wrong.map((c) => c.name)).toEqual(["broken"]);
    expect(state.alive).toBe(0);
  });

  test("stops when it is told to, and leaves nothing alive", async () => {
    const { start, state } = track();
    const controller = new AbortController();
    const candidates: Car[] = [{ name: "model", ms: 1, data: right }, { name: "other", ms: 1, data: right }];
    controller.abort();
    await expect(race({ candidates, start, exact: true, signal: controller.signal })).rejects.toMatchObject({ name: "AbortError" });
    expect(state.alive).toBe(0);
  });
});

describe("agreement", () => {
  test("is bit for bit where integers stay integers; zeros of either sign are one, and so are NaNs", () => {
    expect(agrees([1, 0, NaN, Infinity], [1, -0, NaN, Infinity], true)).toBe(true);
    expect(agrees([2 ** 24], [2 ** 24 + 2], true)).toBe(false);
    expect(agrees([1e6, 1], [1e6, 1.5], true)).toBe(false);
  });
  test("is up to rounding elsewhere", () => {
    expect(agrees([1e6, 1], [1e6, 1.5], false)).toBe(true);
    expect(agrees([1, 2], [1, 2.1], false)).toBe(false);
    expect(agrees([1, 2], [1, NaN], false)).toBe(false);
    expect(agrees([1, Infinity], [1, 2], false)).toBe(false);
  });
});
