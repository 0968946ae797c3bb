import { IndexicalError } from "../../dsl/errors.js";
import { probeWasm } from "../wasm/probe.js";
import { findGPU } from "../webgpu/adapter.js";
import { loadLibrary, type InnerKernel, type Library } from "./library.js";
import { sharedWebgl } from "./webgl.js";

export type GpujsMode = "webgpu" | "webgl2" | "headlessgl" | "webasm" | "cpu";

/** From the fastest to the slowest, where each has real hardware. */
export const modes: readonly GpujsMode[] = ["webgpu", "webgl2", "headlessgl", "webasm", "cpu"];

export interface Probe {
  readonly mode: GpujsMode;
  readonly works: boolean;
  /** What was found, or why the mode can't be used. */
  readonly reason: string;
}

let turn: Promise<unknown> = Promise.resolve();

/**
 * Makes `navigator.gpu` exist, or be the given device, while `run` runs: gpu.js looks for it there, and Node has none.
 * One at a time: each puts back what it found.
 */
export const withWebGPU = <T>(run: () => Promise<T>, device?: GPUDevice): Promise<T> => {
  const mine = turn.then(() => withNavigator(run, device));
  turn = mine.catch(() => undefined);
  return mine;
};

const withNavigator = async <T>(run: () => Promise<T>, device: GPUDevice | undefined): Promise<T> => {
  const gpu = device ? gpuOf(device) : await findGPU();
  const present = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  const { navigator } = globalThis as { navigator?: Navigator };
  if (navigator?.gpu === gpu) return run();
  Object.defineProperty(globalThis, "navigator", { configurable: true, writable: true, value: { gpu, hardwareConcurrency: navigator?.hardwareConcurrency } });
  try {
    return await run();
  } finally {
    if (present) Object.defineProperty(globalThis, "navigator", present);
    else delete (globalThis as { navigator?: unknown }).navigator;
  }
};

/** A `navigator.gpu` whose only device is the given one. */
const gpuOf = (device: GPUDevice): object => ({ requestAdapter: async () => ({ limits: device.limits, info: device.adapterInfo, requestDevice: async () => device }) });

export const refusal = (mode: string, why: string, remedy?: string, cause?: unknown): IndexicalError =>
  new IndexicalError("device-unavailable", `gpu.js can't run in its mode ${mode} here: ${why}`, { remedy: remedy ?? "Use the mode webasm, or cpu.", cause });

/** Makes sure that a mode can work here, and tells what it runs on. @throws device-unavailable */
export const checkMode = async (mode: GpujsMode, library: Library, device?: GPUDevice): Promise<string> => {
  switch (mode) {
    case "webgpu":
      return withWebGPU(async () => {
        let context: Awaited<ReturnType<Library["WebGPUContext"]["acquire"]>>;
        try {
          context = await library.WebGPUContext.acquire();
        } catch (cause) {
          throw refusal(mode, "WebGPU has no adapter", undefined, cause);
        }
        if (device && context.device !== device)
          throw new IndexicalError("device-shared", "gpu.js already runs on another GPUDevice; it uses one for the whole process", { remedy: "Give the device to the first program that is compiled for gpujs:webgpu." });
        const { vendor, architecture, description } = context.adapter.info;
        return [vendor, architecture, description].filter((t) => t).join(" ") || "a WebGPU adapter";
      }, device);
    case "webgl2":
      return rendererOf(sharedWebgl().context);
    case "headlessgl":
      if (!library.HeadlessGLKernel.isSupported) throw refusal(mode, "the package gl is not installed or found no display", "Build it with npm install gl (it needs the X11 and GL headers), or use the mode webasm.");
      return "headless-gl";
    case "webasm": {
      const { works, reason } = await probeWasm();
      if (!works) throw refusal(mode, reason, "Use another mode.");
      return typeof SharedArrayBuffer === "undefined" ? "WebAssembly SIMD, one thread" : "WebAssembly SIMD, with threads";
    }
    case "cpu":
      try {
        new Function("");
      } catch (cause) {
        throw refusal(mode, "the page's content security policy forbids code from text: its script-src lacks 'unsafe-eval'", "Use another mode.", cause);
      }
      return "JavaScript";
  }
};

const rendererOf = (gl: WebGL2RenderingContext): string => {
  const told = gl.getExtension("WEBGL_debug_renderer_info");
  return `WebGL 2 on ${String(gl.getParameter(told ? told.UNMASKED_RENDERER_WEBGL : gl.RENDERER))}`;
};

const softwareAdapter = /swiftshader|llvmpipe|lavapipe|software|basic render/i;

/** Whether a mode works here. */
export const probeMode = async (mode: GpujsMode): Promise<Probe> => {
  try {
    const library = await loadLibrary();
    const reason = await checkMode(mode, library);
    await tryOut(mode, library);
    return { mode, works: true, reason };
  } catch (error) {
    return { mode, works: false, reason: (error as Error).message };
  }
};

/** What works here, best first; software adapters come after WebAssembly, which is faster. */
export const probeGpujs = async (): Promise<Probe[]> => {
  const probes: Probe[] = [];
  // One after the other: they would disturb each other's `navigator`.
  for (const mode of modes) probes.push(await probeMode(mode));
  const rank = (p: Probe): number => (!p.works ? 3 : p.mode === "cpu" ? 2 : softwareAdapter.test(p.reason) ? 1.5 : p.mode === "webasm" ? 1 : 0);
  return probes.sort((a, b) => rank(a) - rank(b));
};

/** Runs a kernel of one line and looks at what came out, and from where. */
const tryOut = async (mode: GpujsMode, library: Library): Promise<void> => {
  const gpu = await openGpu(mode, library);
  const kernel = gpu.createKernel("function (x) { return x[this.thread.x] + 1; }", { output: [4], asyncMode: true, precision: "single" });
  try {
    const result = (await kernel(new library.Input(new Float32Array([1, 2, 3, 4]), [4]))) as ArrayLike<number>;
    assertMode(mode, kernel.kernel, library);
    if (Array.from(result).join() !== "2,3,4,5") throw refusal(mode, `a kernel that adds 1 to 1, 2, 3, 4 gave ${Array.from(result).join(", ")}`);
  } finally {
    // With a kernel left, gpu.js would take the WebGL context from everybody.
    kernel.destroy();
    await gpu.destroy();
  }
};

export const openGpu = (mode: GpujsMode, library: Library, device?: GPUDevice): Promise<InstanceType<Library["GPU"]>> => {
  const open = async (): Promise<InstanceType<Library["GPU"]>> => {
    try {
      return new library.GPU(mode === "webgl2" ? { mode, ...sharedWebgl() } : { mode });
    } catch (cause) {
      throw refusal(mode, (cause as Error).message, undefined, cause);
    }
  };
  return mode === "webgpu" ? withWebGPU(open, device) : open();
};

/** gpu.js falls back to plain JavaScript with no more than a line on the console; here that is an error. */
export const assertMode = (mode: GpujsMode, kernel: InnerKernel, library: Library): void => {
  const ran = modeOf(kernel, library);
  if (ran !== mode || kernel.fallbackReason)
    throw new IndexicalError("device-fallback", `gpu.js was asked for its mode ${mode} and ran ${ran}${kernel.fallbackReason ? `: ${kernel.fallbackReason}` : ""}`, { remedy: `Ask for gpujs:${ran === "unknown" ? "cpu" : ran}, or for another device.` });
};

/** The mode of a kernel; gpu.js itself calls all that goes through WebGL `gpu`. */
const modeOf = ({ constructor }: InnerKernel, library: Library): string => {
  if (constructor === library.WebGL2Kernel) return "webgl2";
  if (constructor === library.HeadlessGLKernel) return "headlessgl";
  return constructor.mode ?? "unknown";
};
