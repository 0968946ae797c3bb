import { describe, expect, it } from "vitest";
import { compile, pad, sum, tensor, type Kernel3d, type Volume } from "../../src/index.js";

const conv3d = (x: Volume, w: Kernel3d) => {
  const xp = pad(x, [0, 0, 1, 1, 1]);
  return tensor((n, o, d, h, v) => sum((c, i, j, k) => xp(n, c, d + i, h + j, v + k) * w(o, c, i, j, k)));
};

describe("devices", () => {
  const shapes = { x: [1, 3, 5, 4, 6], w: [4, 3, 3, 3, 3] };
  const numbers = (n: number, seed: number): Float32Array => Float32Array.from({ length: n }, (_, i) => ((i * 7919 + seed) % 11) - 5);
  const x = numbers(3 * 5 * 4 * 6, 1);
  const w = numbers(4 * 3 * 27, 2);
  it.each(["wasm", "gpujs:webasm", "gpujs:cpu", "auto"])("%s agrees with the reference", async (device) => {
    const program = ({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w);
    const [a, b] = await Promise.all([compile(program, shapes, { device }), compile(program, shapes, { device: "reference" })]);
    const [y, z] = [await a.run({ x, w }), await b.run({ x, w })];
    expect(y.shape).toEqual([1, 4, 5, 4, 6]);
    expect(Array.from(y.data)).toEqual(Array.from(z.data));
    expect(a.why).not.toBe("");
    a.dispose();
    await expect(a.run({ x, w })).rejects.toThrow("disposed");
  });
  it("names what it does not know", async () => {
    await expect(compile(({ x }: { x: Volume }) => x, { x: [1, 1, 1, 1, 1] }, { device: "gpujs:webasn" })).rejects.toThrow("Did you mean gpujs:webasm?");
  });
});
