import { describe, expect, test } from "vitest";
import { readTuning } from "../../../src/compiler/tune/index.js";

const winner = { kernel: "output", choice: { lane: 1 }, ms: 1, modelMs: 2 };

describe("a tuning from a file", () => {
  test("is taken as it was written", () => {
    const good = { indexical: "tuning", format: 1, devices: { "wasm, here": { abc: winner, def: { ...winner, choice: null } } } };
    expect(readTuning(JSON.parse(JSON.stringify(good)))).toEqual(good);
  });
  test.each([
    [null, "it is"],
    [[1], "it is"],
    [{ devices: {} }, "no mark"],
    [{ indexical: "tuning", format: 2, devices: {} }, "its format is the number 2"],
    [{ indexical: "tuning", format: 1 }, "devices is"],
    [{ indexical: "tuning", format: 1, devices: { here: 3 } }, "what it holds for here"],
    [{ indexical: "tuning", format: 1, devices: { here: { abc: { ...winner, ms: "1" } } } }, "the kernel abc of here"],
    [{ indexical: "tuning", format: 1, devices: { here: { abc: { ...winner, choice: { lane: 0.5 } } } } }, "the kernel abc of here"],
  ])("%j is refused", (given, what) => {
    expect(() => readTuning(given)).toThrowError(expect.objectContaining({ code: "tuning-malformed", message: expect.stringContaining(what) }));
  });
});
