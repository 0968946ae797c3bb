import { IndexicalError } from "../../dsl/errors.js";
import type { WebgpuLimits, WebgpuPlan } from "./plan.js";
import { limitsOf, reportOf } from "./adapter.js";

const scopes: readonly GPUErrorFilter[] = ["validation", "out-of-memory", "internal"];

/**
 * Runs `work`, which may not wait for anything, and turns what the device complains about into errors: scopes belong
 * to the device, so that nobody else's commands may come between. @throws device-failed, device-memory
 */
export const watched = async <T>(device: GPUDevice, what: string, work: () => T, remedy = "Free memory on the device, or use a smaller volume."): Promise<T> => {
  for (const s of scopes) device.pushErrorScope(s);
  let result: T;
  let verdicts: Promise<GPUError | null>[];
  try {
    result = work();
  } finally {
    // A lost device has no verdicts, and says so elsewhere.
    verdicts = scopes.map(() => device.popErrorScope().catch(() => null));
  }
  const error = (await Promise.all(verdicts)).find((e) => e !== null);
  if (!error) return result;
  const memory = "GPUOutOfMemoryError" === error.constructor.name;
  throw new IndexicalError(memory ? "device-memory" : "device-failed", `WebGPU failed at ${what}: ${error.message}`, {
    remedy: memory ? remedy : "Buffers that are given have to be of this device, and not destroyed; otherwise try another device.",
  });
};

/** Watches a device. */
export class Loss {
  private reason: string | undefined;

  constructor(device: GPUDevice) {
    void device.lost.then((info) => {
      this.reason = info.message || info.reason || "unknown";
    });
  }

  get lost(): boolean {
    return this.reason !== undefined;
  }

  error(cause?: unknown): IndexicalError {
    return new IndexicalError("device-lost", `the WebGPU device was lost: ${this.reason ?? "unknown"}`, { remedy: "Run or compile the program again: that opens a new device; where the device was yours, compile with another.", cause });
  }

  /** @throws device-lost */
  check(): void {
    if (this.lost) throw this.error();
  }

  /** Runs `work`; when the device is lost meanwhile, that is the error. @throws device-lost */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.check();
    try {
      return await work();
    } catch (error) {
      // The news may come after the failure that it explains.
      for (let k = 0; k < 5 && !this.lost; k++) await new Promise((resolve) => setTimeout(resolve, 0));
      throw this.lost ? this.error(error) : error;
    }
  }
}

const names: Readonly<Record<keyof WebgpuLimits, string>> = {
  maxStorageBufferBindingSize: "bytes in one buffer",
  maxStorageBuffersPerShaderStage: "buffers for one shader",
  maxComputeInvocationsPerWorkgroup: "threads in a workgroup",
  maxComputeWorkgroupStorageSize: "bytes shared by a workgroup",
};

/** What is largest where the most is alive, as a sentence. */
export const peakText = ({ peak }: WebgpuPlan): string =>
  `The peak is at ${peak.step}, which needs ${peak.tensors.slice(0, 3).map(({ name, shape, bytes }) => `${name} [${shape.join(", ")}] with ${bytes} bytes`).join(", ")}`;

/** What needs most of something. */
const neediest = ({ buffers, steps }: WebgpuPlan): Readonly<Record<keyof WebgpuLimits, string | undefined>> => {
  const most = <T extends { readonly name: string }>(all: readonly T[], need: (t: T) => number): string | undefined =>
    all.reduce<T | undefined>((a, b) => (a && need(a) >= need(b) ? a : b), undefined)?.name;
  return {
    maxStorageBufferBindingSize: most(buffers, (b) => b.bytes),
    maxStorageBuffersPerShaderStage: most(steps, (s) => s.bindings.length),
    maxComputeInvocationsPerWorkgroup: most(steps, (s) => s.threads),
    maxComputeWorkgroupStorageSize: most(steps, (s) => s.shared),
  };
};

/** Refuses, before anything is allocated, what the device can't hold or do. @throws device-limit, device-feature */
export const checkLimits = (plan: WebgpuPlan, device: GPUDevice): void => {
  for (const feature of plan.features)
    if (!device.features.has(feature))
      throw new IndexicalError("device-feature", `the program stores numbers as float16, and this WebGPU device (${reportOf(device.adapterInfo).name}) was not opened with the feature ${feature}`, {
        remedy: 'Compile with storage: "float32"; where the adapter has the feature, ask for it when you open a device of your own.',
      });
  const has = limitsOf(device);
  for (const key of Object.keys(names) as (keyof WebgpuLimits)[]) {
    if (plan.needs[key] <= has[key]) continue;
    const who = neediest(plan)[key];
    throw new IndexicalError("device-limit", `the program needs ${plan.needs[key]} ${names[key]}${who === undefined ? "" : ` (${who})`}; this WebGPU device has ${has[key]}. ${peakText(plan)}`, {
      remedy: "Give the limits of this device when the program is compiled, use a smaller volume or run on parts of it, with fewer channels where these tensors are made, or run on another device.",
    });
  }
};
