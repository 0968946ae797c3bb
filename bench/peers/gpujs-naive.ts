import { GPU } from "gpu.js";
import { numbers, sizeOf } from "../numbers.js";
import { findWorkload } from "../find.js";
import { sampleOf, serve } from "../protocol.js";

/** The convolution that one would write first in gpu.js: a thread an element, guards inside the loops. `gpujs-naive.ts WORKLOAD` */
const [name = "W1"] = process.argv.slice(2);
await serve(async () => {
  const workload = await findWorkload(name);
  const graph = workload.onnx!();
  const weight = graph.weights[0] as { shape: readonly number[]; data: Float32Array };
  const [, c, d] = graph.inputs[0]!.shape as [number, number, number];
  const [o, , k] = weight.shape as [number, number, number];
  const x = numbers(sizeOf(graph.inputs[0]!.shape), 1);
  const gpu = new GPU({ mode: "webasm" as never });
  const kernel = gpu
    .createKernel(function (this: { constants: Record<string, number>; thread: { x: number; y: number; z: number } }, x: number[], w: number[]) {
      let s = 0;
      const h = Math.floor(this.thread.y / this.constants.d);
      const v = this.thread.y % this.constants.d;
      for (let ch = 0; ch < this.constants.c; ch++)
        for (let a = 0; a < this.constants.k; a++)
          for (let b = 0; b < this.constants.k; b++)
            for (let e = 0; e < this.constants.k; e++) {
              const p = h + a - this.constants.p;
              const q = v + b - this.constants.p;
              const r = this.thread.x + e - this.constants.p;
              if (p >= 0 && p < this.constants.d && q >= 0 && q < this.constants.d && r >= 0 && r < this.constants.d)
                s +=
                  x[((ch * this.constants.d + p) * this.constants.d + q) * this.constants.d + r]! *
                  w[(((this.thread.z * this.constants.c + ch) * this.constants.k + a) * this.constants.k + b) * this.constants.k + e]!;
            }
      return s;
    } as never)
    .setOutput([d, d * d, o])
    .setConstants({ c, d, k, p: (k - 1) / 2 });
  const call = async (): Promise<Float32Array[][]> => (await kernel(x, weight.data)) as unknown as Float32Array[][];
  const result = await call();
  const flat = new Float32Array(o * d * d * d);
  result.forEach((plane, z) => plane.forEach((row, y) => flat.set(row, (z * d * d + y) * d)));
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
