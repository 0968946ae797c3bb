import { expect, test } from "vitest";
import { indexOf, variable } from "../../../../src/dsl/index.js";
import { ir } from "../../../support/interpret.js";
import { runWasm } from "./run.js";

/** One accumulator in float32 would be off by about 1e-5 here. */
test("long sums stay accurate to a few units in the last place", async () => {
  const [channels, rows, columns] = [8, 512, 512];
  const x = ir.input("x", [channels, rows, columns]);
  const [c, i, j] = [variable("c", channels), variable("i", rows), variable("j", columns)];
  const program = ir.program([ir.stage("y", [c], ir.reduce("sum", [i, j], ir.read(x, [indexOf(c), indexOf(i), indexOf(j)])))], [x]);
  const data = Float32Array.from({ length: channels * rows * columns }, (_, n) => 0.1 + ((n * 7919) % 1013) / 1013);
  const { output } = await runWasm(program, { x: data });
  for (let at = 0; at < channels; at++) {
    const exact = data.subarray(at * rows * columns, (at + 1) * rows * columns).reduce((a, v) => a + v, 0);
    expect(Math.abs(output!.data[at]! / exact - 1)).toBeLessThan(2e-6);
  }
});
