import { describe, expect, it } from "vitest";
import type { Program } from "../../../src/compiler/ir.js";
import { add, floorDivide, indexOf, remainder, scale, shift } from "../../../src/dsl/affine.js";
import { variable } from "../../../src/dsl/variable.js";
import { ir } from "../../support/interpret.js";
import { runGpujs } from "../../support/gpujs.js";

/** Beyond 2^24 a float32 skips integers: an index that passes through one reads a neighbour. */
const beyond = 2 ** 24 + 1031;

const check = (actual: ArrayLike<number>, expected: (i: number) => number): void => {
  for (let i = 0; i < actual.length; i++) if (actual[i] !== expected(i)) expect.fail(`element ${i} is ${actual[i]} instead of ${expected(i)}`);
};

const ramp = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => i % 8191);

/** x(i + 1), with i as the only index. */
const moved = (n: number): Program => {
  const x = ir.input("x", [n]);
  const i = variable("i", n - 1);
  return ir.program([ir.stage("out", [i], ir.read(x, [shift(indexOf(i), 1)]))], [x]);
};

/** The last few thousand elements through floored quotients, remainders and a loop. */
const folded = (n: number, rows: number): Program => {
  const x = ir.input("x", [n]);
  const [i, k] = [variable("i", rows), variable("k", 3)];
  const flat = add(shift(indexOf(i), n - rows - 2), indexOf(k));
  const again = add(scale(floorDivide(flat, 3), 3), remainder(flat, 3));
  return ir.program([ir.stage("out", [i], ir.reduce("sum", [k], ir.read(x, [again])))], [x]);
};

describe.each(["webasm", "cpu"] as const)("beyond 2^24 elements on gpujs:%s", (mode) => {
  it("an output of that many elements reads the right ones", async () => {
    const x = ramp(beyond);
    const { output } = await runGpujs(moved(beyond), { x }, mode);
    check(output!.data, (i) => x[i + 1]!);
  }, 60_000);

  it("loops and quotients count exactly", async () => {
    const x = ramp(beyond);
    const { output } = await runGpujs(folded(beyond, 5000), { x }, mode);
    check(output!.data, (i) => {
      const at = beyond - 5000 - 2 + i;
      return x[at]! + x[at + 1]! + x[at + 2]!;
    });
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
  const inputs = { x: ramp(shape.reduce((n, s) => n * s, 1)), w: Float32Array.from({ length: 24 }, (_, i) => (i % 5) - 2) };
  const { output } = await runGpujs(program, inputs, "webasm", { form: "tiled" });
  const at = (cc: number, dd: number, hh: number, vv: number): number => (vv < 0 || vv > 255 ? 0 : inputs.x[((cc * 130 + dd) * 256 + hh + 253) * 256 + vv]!);
  check(output!.data, (flat) => {
    const [vv, hh, dd, oo] = [flat % 256, Math.floor(flat / 256) % 3, Math.floor(flat / 768) % 130, Math.floor(flat / 99840)];
    let sum = 0;
    for (let cc = 0; cc < 2; cc++) for (let kk = 0; kk < 3; kk++) sum += at(cc, dd, hh, vv + kk - 1) * inputs.w[(oo * 2 + cc) * 3 + kk]!;
    return sum;
  });
}, 60_000);
