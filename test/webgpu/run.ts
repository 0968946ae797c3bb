import { emitWebgpu, type WebgpuOptions } from "../../src/compiler/emit/webgpu/index.js";
import type { Program } from "../../src/compiler/ir.js";
import type { NumberArray, Result } from "../../src/runtime/backend.js";
import { createWebgpu, sharedDevice } from "../../src/runtime/webgpu/index.js";

/** Compiles and runs once. Every buffer begins full of NaN and goes on with NaN behind its end. */
export const runWebgpu = async (program: Program, inputs: Readonly<Record<string, NumberArray>>, options: WebgpuOptions = {}): Promise<Readonly<Record<string, Result>>> => {
  const executable = await createWebgpu(emitWebgpu(program, options), { device: poisoned(await sharedDevice()) });
  try {
    return await executable.run(inputs);
  } finally {
    executable.dispose();
  }
};

/** Bytes of NaN behind each buffer. */
const guard = 512;

/** A device whose buffers hold NaN, and have more of it behind their end: what is read astray or never written shows. */
export const poisoned = (device: GPUDevice): GPUDevice =>
  new Proxy(device, {
    get: (target, key) => {
      if (key === "createBuffer")
        return (descriptor: GPUBufferDescriptor): GPUBuffer => {
          const buffer = device.createBuffer({ ...descriptor, size: descriptor.size + guard, mappedAtCreation: true });
          new Float32Array(buffer.getMappedRange()).fill(NaN);
          buffer.unmap();
          return buffer;
        };
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? (value as (...of: unknown[]) => unknown).bind(target) : value;
    },
  });
