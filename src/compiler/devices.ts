import { IndexicalError } from "../dsl/index.js";
import { suggest } from "../dsl/suggest.js";
import type { Executable } from "../runtime/backend.js";
import { createGpujs, modes, probeMode, type GpujsMode } from "../runtime/gpujs/index.js";
import { createWasm, probeWasm } from "../runtime/wasm/index.js";
import { createWebgpu, limitsOf, probeWebgpu, sharedDevice } from "../runtime/webgpu/index.js";
import { emitGpujs } from "./emit/gpujs/index.js";
import { emitWasm } from "./emit/wasm/emit.js";
import { emitWebgpu } from "./emit/webgpu/index.js";
import { proveReads } from "./infer.js";
import type { Program } from "./ir.js";
import { lower } from "./lower.js";
import { printStep } from "./schedule/print.js";
import { schedule } from "./schedule/schedule.js";
import type { Schedules, Tunable } from "./tune/index.js";
import { runPasses } from "./passes.js";
import { createReference } from "./reference.js";
import type { Traced } from "./trace.js";

export interface DeviceOptions {
  /** Threads of the `wasm` device; as many as there are cores by default. */
  readonly threads?: number | undefined;
  /** Where the file `indexical/worker` is served: `wasm` starts its threads with it in pages whose policy forbids workers from blob: addresses. */
  readonly worker?: string | URL | undefined;
  /** The device of `webgpu` and `gpujs:webgpu`, when the caller has one already. */
  readonly gpu?: GPUDevice | undefined;
  /** Has `gpujs:webasm` leave the insides of gpu.js alone: it is slower, and `why` says nothing about them. */
  readonly stock?: boolean | undefined;
  /** Has `webgpu` measure each step of each run by the GPU's own clock: `timings` gives the last. Each step becomes a pass of its own, which costs some time. */
  readonly timestamps?: boolean | undefined;
  /**
   * How `webgpu` stores results between its kernels: float32 by default. With float16 they take half the memory and its
   * bandwidth; arithmetic, inputs and outputs stay float32. Each number stored is rounded by at most 2^-11 of itself
   * (2^-25 below 2^-14), and is infinite beyond 65504. The adapter has to have the feature `shader-f16`.
   */
  readonly storage?: "float32" | "float16" | undefined;
}

/** A kernel as a person can read it. */
export interface KernelSource {
  readonly name: string;
  readonly device: string;
  readonly source: string;
}

/** What tuning needs to know of a device. */
export interface Tuner {
  /** What results of measurements hold for: the device, the processor or adapter, threads, and the version of this package. */
  readonly machine: string;
  readonly tunables: (program: Program) => readonly Tunable[];
}

/** A way to run programs. */
export interface Device {
  readonly name: string;
  readonly describe: string;
  /** Whether it works here, and what was found or why not. */
  readonly probe: () => Promise<{ readonly works: boolean; readonly reason: string; readonly software?: boolean }>;
  /** Kernels that were measured before run as they ran best. */
  readonly create: (traced: Traced, program: () => Program, options: DeviceOptions, tuned?: Schedules) => Promise<Executable>;
  readonly kernels: (program: Program, tuned?: Schedules) => readonly KernelSource[];
  /** Left out where there is nothing to choose from. */
  readonly tuner?: (options: DeviceOptions) => Promise<Tuner>;
}

const gpujs = (mode: GpujsMode): Device => ({
  name: `gpujs:${mode}`,
  describe: `gpu.js kernels in mode ${mode}`,
  probe: () => probeMode(mode),
  create: async (_traced, program, { gpu, stock }) => createGpujs(emitGpujs(program()), { mode, device: gpu, stock }),
  kernels: (program) => emitGpujs(program).steps.map(({ name, source }) => ({ name, device: `gpujs:${mode}`, source })),
});

/** All devices; `auto` takes the first that works. */
export const devices: readonly Device[] = [
  {
    name: "wasm",
    describe: "own WebAssembly SIMD, threads over one shared memory",
    probe: probeWasm,
    create: async (_traced, program, { threads, worker }, tuned) => createWasm(emitWasm(program(), tuned?.wasm), { threads, worker }),
    kernels: (program, tuned) => {
      const planned = schedule(program, tuned?.wasm);
      return planned.steps.map((step) => ({ name: step.name, device: "wasm", source: printStep(step, planned) }));
    },
    tuner: async ({ threads, worker }) => {
      const { wasmMachine, wasmTunables } = await import("./tune/index.js");
      return { machine: await wasmMachine(threads), tunables: (program) => wasmTunables(program, threads, worker) };
    },
  },
  {
    name: "webgpu",
    describe: "own WGSL on a GPU, one submit a run",
    probe: probeWebgpu,
    create: async (_traced, program, { gpu, timestamps, storage }, tuned) => {
      const device = gpu ?? (await sharedDevice());
      const [given, limits] = [program(), limitsOf(device)];
      return createWebgpu(emitWebgpu(given, { limits, storage, tiling: tuned?.webgpu(given, limits) }), { device, timestamps });
    },
    kernels: (program, tuned) => emitWebgpu(program, { tiling: tuned?.webgpu(program) }).steps.map(({ name, source }) => ({ name, device: "webgpu", source })),
    tuner: async ({ gpu, storage }) => {
      const [device, { webgpuMachine, webgpuTunables }] = await Promise.all([gpu ?? sharedDevice(), import("./tune/index.js")]);
      return { machine: webgpuMachine(device, storage), tunables: (program) => webgpuTunables(program, device, storage) };
    },
  },
  ...modes.map(gpujs),
  {
    name: "reference",
    describe: "float64 evaluation of the definitions as written: slow and exact",
    probe: async () => ({ works: true, reason: "plain JavaScript" }),
    create: async (traced) => {
      proveReads(lower(traced));
      return createReference(traced);
    },
    kernels: () => [],
  },
];

/** What `device: "auto"` tries, in order; software that plays a GPU is slower than WebAssembly. */
const automatic = ["webgpu", "wasm", "webgpu", "gpujs:webgpu", "gpujs:webgl2", "gpujs:webasm", "gpujs:cpu"];

/** The device of a name; `auto` and `gpujs` are resolved by trying. @throws device-unknown, device-none. */
export const findDevice = async (name: string): Promise<{ readonly device: Device; readonly why: string }> => {
  const exact = devices.find((d) => d.name === name);
  if (exact) return { device: exact, why: "as asked" };
  const candidates = name === "auto" ? automatic : name === "gpujs" ? modes.map((m) => `gpujs:${m}`) : undefined;
  const names = ["auto", "gpujs", ...devices.map((d) => d.name)];
  if (!candidates) throw new IndexicalError("device-unknown", `there is no device ${name}`, { remedy: `Devices are ${names.join(", ")}.${suggest(name, names)}` });
  const tried: string[] = [];
  for (const [k, candidate] of candidates.entries()) {
    const device = devices.find((d) => d.name === candidate)!;
    const { works, reason, software } = await device.probe();
    if (works && !(software && k < candidates.indexOf("wasm"))) return { device, why: [...tried, `${candidate}: ${reason}`].join("; ") };
    tried.push(`${candidate}: ${reason}`);
  }
  throw new IndexicalError("device-none", `no device of ${name} works here: ${tried.join("; ")}`, { remedy: 'Use device: "reference", or run indexical doctor.' });
};

/** The executable of a traced program on a device. */
export const createOn = async (device: Device, traced: Traced, options: DeviceOptions, tuned?: Schedules): Promise<Executable> => {
  if (options.storage === "float16" && device.name !== "webgpu")
    throw new IndexicalError("device-feature", `the device ${device.name} stores numbers as float32 only`, { remedy: 'Compile with device: "webgpu", or without storage.' });
  return device.create(traced, () => runPasses(traced), options, tuned);
};
