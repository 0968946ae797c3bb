import { GPU } from "gpu.js";
import { sampleOf } from "../contestant.js";
import { findWorkload } from "../find.js";
import { numbers, sizeOf } from "../numbers.js";
import { serve } from "../protocol.js";

/**
 * `gpujs-naive.ts WORKLOAD`: the convolution that one would write first in gpu.js, a thread an element, in all threads that
 * gpu.js starts. Its input is padded beforehand and outside of the time: looking for borders in the loops takes twice as long.
 */
const [name = "W1"] = process.argv.slice(2);

await serve(async () => {
  const graph = (await findWorkload(name)).onnx!();
  const weight = graph.weights[0] as { shape: readonly number[]; data: Float32Array };
  const [, c, d] = graph.inputs[0]!.shape as [number, number, number];
  const [o, , k] = weight.shape as [number, number, number];
  const [p, e] = [(k - 1) / 2, d + k - 1];
  const x = numbers(sizeOf(graph.inputs[0]!.shape), 1);
  const padded = new Float32Array(c * e ** 3);
  for (let ch = 0; ch < c; ch++)
    for (let a = 0; a < d; a++)
      for (let b = 0; b < d; b++) padded.set(x.subarray(((ch * d + a) * d + b) * d, ((ch * d + a) * d + b + 1) * d), ((ch * e + a + p) * e + b + p) * e + p);
  const gpu = new GPU({ mode: "webasm" as never });
  const kernel = gpu.createKernel(
    function (this: { constants: Record<string, number>; thread: { x: number; y: number; z: number } }, x: number[], w: number[]) {
      let s = 0;
      const out = Math.floor(this.thread.z / this.constants.d);
      const h = this.thread.z - out * this.constants.d;
      for (let ch = 0; ch < this.constants.c; ch++)
        for (let a = 0; a < this.constants.k; a++)
          for (let b = 0; b < this.constants.k; b++)
            for (let e = 0; e < this.constants.k; e++)
              s +=
                x[((ch * this.constants.e + h + a) * this.constants.e + this.thread.y + b) * this.constants.e + this.thread.x + e]! *
                w[(((out * this.constants.c + ch) * this.constants.k + a) * this.constants.k + b) * this.constants.k + e]!;
      return s;
    } as never,
    { output: [d, d, d * o], constants: { c, d, e, k }, asyncMode: true, precision: "single" } as never,
  );
  const call = async (): Promise<Float32Array[][]> => (await kernel(padded, weight.data)) as unknown as Float32Array[][];
  const result = await call();
  const flat = new Float32Array(o * d ** 3);
  result.forEach((plane, z) => plane.forEach((row, y) => flat.set(row, (z * d + y) * d)));
  return {
    device: "gpujs-naive",
    sample: sampleOf(flat),
    run: async () => {
      const began = performance.now();
      await call();
      return { ms: performance.now() - began };
    },
  };
});
