import { IndexicalError } from "../../dsl/errors.js";
import { nodeModule } from "../node.js";
import type { WebgpuLimits } from "./plan.js";

// Dawn's GPU object has to outlive its devices.
let dawn: GPU | undefined;

/** `navigator.gpu`, or the one of the package `webgpu` in Node. @throws device-unavailable */
export const findGPU = async (): Promise<GPU> => {
  const { navigator } = globalThis as { navigator?: Navigator };
  if (navigator?.gpu) return navigator.gpu;
  if (dawn) return dawn;
  let library: { create(options: readonly string[]): GPU } | undefined;
  try {
    library = await nodeModule("webgpu");
  } catch (cause) {
    throw new IndexicalError("device-unavailable", "there is no navigator.gpu, and the package webgpu is not installed", { remedy: "Run npm install webgpu, or use another device.", cause });
  }
  if (!library)
    throw new IndexicalError("device-unavailable", "there is no navigator.gpu: this browser has no WebGPU, or the page was not loaded over https", { remedy: "Use another device." });
  // Shaders write workgroup memory before they read it; clearing it first takes software adapters seconds to compile.
  // Timestamps are rounded to a tenth of a millisecond for the sake of pages that can't trust each other.
  return (dawn = library.create(["enable-dawn-features=disable_workgroup_init", "disable-dawn-features=timestamp_quantization"]));
};

/** What a device runs on. */
export interface AdapterReport {
  /** Vendor, architecture and description, as far as they are told. */
  readonly name: string;
  /** Whether it is a processor that plays a GPU. */
  readonly software: boolean;
}

const playedBySoftware = /swiftshader|llvmpipe|lavapipe|software|basic render/i;

export const reportOf = (info: GPUAdapterInfo): AdapterReport => {
  const name = [info.vendor, info.architecture, info.description].filter((t) => t).join(" ") || "a WebGPU adapter";
  return { name, software: info.isFallbackAdapter === true || playedBySoftware.test(name) };
};

/** The best adapter. @throws device-unavailable */
export const findAdapter = async (): Promise<GPUAdapter> => {
  const gpu = await findGPU();
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new IndexicalError("device-unavailable", "WebGPU has no adapter here", { remedy: "Use another device, or install a driver; indexical doctor tells what works." });
  return adapter;
};

export interface WebgpuProbe {
  readonly works: boolean;
  /** What was found, or why not. */
  readonly reason: string;
  /** Whether it is slower than the processor's own code. */
  readonly software: boolean;
}

/** Whether there is a WebGPU adapter, and which. */
export const probeWebgpu = async (): Promise<WebgpuProbe> => {
  try {
    const missing = await missingHardware();
    if (missing) return { works: false, reason: missing, software: false };
    const { name, software } = reportOf((await findAdapter()).info);
    return { works: true, reason: name, software };
  } catch (error) {
    return { works: false, reason: (error as Error).message, software: false };
  }
};

/** In Node on Linux, Dawn complains aloud where there is nothing to find; that is told beforehand. */
const missingHardware = async (): Promise<string | undefined> => {
  const { process } = globalThis as { process?: { platform?: string; versions?: { node?: string }; env: Record<string, string | undefined> } };
  if (process?.platform !== "linux" || !process.versions?.node || process.env["VK_ICD_FILENAMES"] || process.env["VK_DRIVER_FILES"]) return undefined;
  const specifier = "node:fs";
  const { existsSync } = (await import(/* @vite-ignore */ specifier)) as { existsSync(path: string): boolean };
  return ["/dev/dri", "/dev/nvidia0", "/dev/dxg", "/dev/kfd", "/dev/mali0"].some(existsSync) ? undefined : "this machine has no graphics device";
};

/** The limits of a device, or of an adapter, that plans care about. */
export const limitsOf = ({ limits }: { readonly limits: GPUSupportedLimits }): WebgpuLimits => ({
  maxStorageBufferBindingSize: Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize),
  maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
  maxComputeInvocationsPerWorkgroup: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
  maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
});

/** What is asked of the adapter, all that it has: the defaults are far too small for volumes. */
const wanted = [
  "maxBufferSize", "maxStorageBufferBindingSize", "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize", "maxComputeInvocationsPerWorkgroup", "maxComputeWorkgroupSizeX",
] as const;

/** Opens a device with all that the adapter offers. @throws device-unavailable */
export const openDevice = async (): Promise<GPUDevice> => {
  const adapter = await findAdapter();
  const requiredLimits = Object.fromEntries(wanted.map((name) => [name, adapter.limits[name]]));
  const requiredFeatures = (["timestamp-query", "shader-f16", "subgroups"] as GPUFeatureName[]).filter((f) => adapter.features.has(f));
  try {
    return await adapter.requestDevice({ label: "indexical", requiredLimits, requiredFeatures });
  } catch (cause) {
    throw new IndexicalError("device-unavailable", `the adapter ${reportOf(adapter.info).name} gave no device: ${(cause as Error).message}`, { cause, remedy: "Use another device." });
  }
};

let shared: Promise<GPUDevice> | undefined;

/** The device that programs use when they are given none. A lost one is replaced. @throws device-unavailable */
export const sharedDevice = (): Promise<GPUDevice> => {
  if (shared) return shared;
  const opening = openDevice();
  shared = opening;
  const forget = (): void => {
    if (shared === opening) shared = undefined;
  };
  opening.then((device) => void device.lost.then(forget), forget);
  return opening;
};

/** Gives the shared device back; what still runs on it is lost. */
export const closeSharedDevice = async (): Promise<void> => {
  const device = await shared?.catch(() => undefined);
  shared = undefined;
  device?.destroy();
};
