import { IndexicalError } from "../../dsl/errors.js";
import type { Gpu, Library } from "./library.js";
import type { GpujsMode } from "./modes.js";
import type { GpujsPlan } from "./plan.js";

/** WebAssembly's 4 GiB, less what gpu.js adds to each memory. */
const wasmBytes = 2 ** 32 - 32 * 65536;
/** WebGL 1 counts with floats. */
const floatIndices = 2 ** 24;

const tooLarge = (mode: GpujsMode, what: string, needs: number, limit: number, unit: string, remedy: string): IndexicalError =>
  new IndexicalError("device-limit", `${what} needs ${needs} ${unit}; gpu.js in its mode ${mode} has at most ${limit} here`, { remedy });

/** Refuses, before anything is allocated, what the mode can't hold or can't count exactly. @throws device-limit, device-bits */
export const checkLimits = async (plan: GpujsPlan, mode: GpujsMode, gpu: Gpu, library: Library): Promise<void> => {
  const size = (b: number): number => plan.buffers[b]!.layout.size;
  const elsewhere = "Use a smaller volume, split it, or run on another device.";
  for (const step of plan.steps) {
    if (step.bits && (mode === "webgl2" || mode === "headlessgl"))
      throw new IndexicalError("device-bits", `the kernel ${step.name} draws random numbers, which takes exact 32-bit integers; gpu.js has none in its mode ${mode}`, { remedy: "Run on gpujs:webasm, gpujs:webgpu or gpujs:cpu." });
    const result = step.grid.reduce((n, d) => n * d, step.components);
    const operands = step.arguments.map((together) => together.reduce((n, b) => n + size(b), 0));
    const largest = Math.max(result, ...operands);
    switch (mode) {
      case "webasm": {
        const bytes = 4 * (result + operands.reduce((n, s) => n + s, 0));
        if (bytes > wasmBytes) throw tooLarge(mode, `the kernel ${step.name}`, bytes, wasmBytes, "bytes", elsewhere);
        break;
      }
      case "webgpu": {
        const { limits } = (await library.WebGPUContext.acquire()).device;
        const most = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
        if (4 * largest > most) throw tooLarge(mode, `the kernel ${step.name}`, 4 * largest, most, "bytes in one buffer", elsewhere);
        break;
      }
      case "webgl2": {
        const gl = gpu.context as WebGL2RenderingContext;
        const side = gl.getParameter(gl.MAX_TEXTURE_SIZE) as number;
        if (largest > side * side) throw tooLarge(mode, `the kernel ${step.name}`, largest, side * side, "numbers in one texture", elsewhere);
        break;
      }
      case "headlessgl":
        if (largest > floatIndices) throw tooLarge(mode, `the kernel ${step.name}`, largest, floatIndices, "numbers in one tensor that are counted exactly", elsewhere);
        break;
      case "cpu":
    }
  }
};
