import { describe, expect, it } from "vitest";
import { add, indexOf, shift } from "../../../src/dsl/affine.js";
import { variable } from "../../../src/dsl/variable.js";
import { runGpujs } from "../../support/gpujs.js";
import { ir } from "../../support/interpret.js";
import { firstWrong, largeCases } from "../../support/large.js";

describe.each(["webasm", "cpu"] as const)("beyond 2^24 elements on gpujs:%s", (mode) => {
  it.each(largeCases())("$name", async ({ program, inputs, expected }) => {
    const { output } = await runGpujs(program, inputs, mode);
    expect(firstWrong(output!.data, expected)).toBeUndefined();
  }, 60_000);
});

it("a tiled sum over more than 2^24 elements reads the right ones", async () => {
  const shape = [2, 130, 256, 256] as const;
  const [x, w] = [ir.input("x", shape), ir.input("w", [4, 2, 3])];
  const [o, d, h, v] = [variable("o", 4), variable("d", shape[1]), variable("h", 3), variable("v", shape[3])];
  const [c, k] = [variable("c", 2), variable("k", 3)];
  // The last rows of each plane: addresses reach to the end of x.
  const value = ir.reduce("sum", [c, k], ir.mul(ir.read(x, [indexOf(c), indexOf(d), shift(indexOf(h), 253), shift(add(indexOf(v), indexOf(k)), -1)], 0), ir.read(w, [indexOf(o), indexOf(c), indexOf(k)])));
  const program = ir.program([ir.stage("out", [o, d, h, v], value)], [x, w]);
  const inputs = { x: Float32Array.from({ length: shape.reduce((n, s) => n * s, 1) }, (_, i) => i % 8191), w: Float32Array.from({ length: 24 }, (_, i) => (i % 5) - 2) };
  const { output } = await runGpujs(program, inputs, "webasm", { form: "tiled" });
  const at = (cc: number, dd: number, hh: number, vv: number): number => (vv < 0 || vv > 255 ? 0 : inputs.x[((cc * 130 + dd) * 256 + hh + 253) * 256 + vv]!);
  const wrong = firstWrong(output!.data, (flat) => {
    const [vv, hh, dd, oo] = [flat % 256, Math.floor(flat / 256) % 3, Math.floor(flat / 768) % 130, Math.floor(flat / 99840)];
    let sum = 0;
    for (let cc = 0; cc < 2; cc++) for (let kk = 0; kk < 3; kk++) sum += at(cc, dd, hh, vv + kk - 1) * inputs.w[(oo * 2 + cc) * 3 + kk]!;
    return sum;
  });
  expect(wrong).toBeUndefined();
}, 60_000);
