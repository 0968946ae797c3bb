import { IndexicalError } from "../../dsl/errors.js";
import { isBuffer, type ResidentExecutable, type ResidentInput, type ResidentOptions, type ResidentResult, type Result, type RunOptions } from "../backend.js";
import { reportOf, sharedDevice, type AdapterReport } from "./adapter.js";
import { checkLimits, Loss, peakText, watched } from "./failures.js";
import { mapRead, usage } from "./flags.js";
import type { WebgpuPlace, WebgpuPlan, WebgpuStep, WebgpuTensor } from "./plan.js";
import { checkSource, checkTargets, elements, refusedSource, vectorBytes } from "./resident.js";
import { Stopwatch } from "./stopwatch.js";

export interface WebgpuOptions {
  /** A device to run on; it is not destroyed with the executable. By default programs share one that is opened for them. */
  readonly device?: GPUDevice | undefined;
  /** Measures each step of each run; `timings` gives the last. */
  readonly timestamps?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface WebgpuExecutable extends ResidentExecutable {
  readonly adapter: AdapterReport;
  /** Milliseconds of each step of the last run, when timestamps were asked for. */
  timings(): readonly { readonly name: string; readonly ms: number }[];
}

/**
 * Loads a plan: allocates its buffers and compiles its shaders, all at the same time.
 * @throws device-unavailable, device-limit, device-memory, device-failed, device-lost; AbortError by the signal.
 */
export const createWebgpu = async (plan: WebgpuPlan, options: WebgpuOptions = {}): Promise<WebgpuExecutable> => {
  options.signal?.throwIfAborted();
  const device = options.device ?? (await sharedDevice());
  const loss = new Loss(device);
  checkLimits(plan, device);
  return loss.during(async () => {
    const pipelines = await Promise.all(plan.steps.map((step) => compileStep(device, step)));
    options.signal?.throwIfAborted();
    const buffers: GPUBuffer[] = [];
    try {
      await watched(device, `allocating ${plan.peakBytes} bytes`, () => {
        for (const { name, bytes } of plan.buffers)
          buffers.push(device.createBuffer({ label: name, size: bytes, usage: usage.STORAGE | usage.COPY_SRC | usage.COPY_DST }));
      }, `${peakText(plan)}: free memory on the device, use a smaller volume, or run on parts of it.`);
      const executable = new WebgpuRun(plan, device, loss, buffers, pipelines, options.timestamps ? new Stopwatch(device, plan.steps) : undefined);
      await executable.load();
      return executable;
    } catch (error) {
      for (const b of buffers) b.destroy();
      throw error;
    }
  });
};

const compileStep = async (device: GPUDevice, step: WebgpuStep): Promise<GPUComputePipeline> => {
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label: step.name, code: step.source });
  // The pipeline fails with its shader, and says why.
  const verdict = device.popErrorScope().catch(() => null);
  try {
    await verdict;
    return await device.createComputePipelineAsync({ label: step.name, layout: "auto", compute: { module, entryPoint: "main" } });
  } catch (cause) {
    const { messages } = await module.getCompilationInfo();
    const all = messages.filter((m) => m.type === "error").map((m) => `${m.lineNum}:${m.linePos} ${m.message}`).join("; ");
    throw new IndexicalError("device-failed", `WebGPU can't compile the shader of ${step.name}: ${all || (cause as Error).message}`, { cause, remedy: "Try another device." });
  }
};

type Inputs = Readonly<Record<string, ResidentInput>>;

class WebgpuRun implements WebgpuExecutable {
  readonly device = "webgpu";
  readonly adapter: AdapterReport;
  private readonly bound: (GPUBindGroup | undefined)[];
  private queue: Promise<unknown> = Promise.resolve();
  private disposed = false;

  constructor(
    private readonly plan: WebgpuPlan,
    readonly gpu: GPUDevice,
    private readonly loss: Loss,
    private readonly buffers: readonly GPUBuffer[],
    private readonly pipelines: readonly GPUComputePipeline[],
    private readonly stopwatch: Stopwatch | undefined,
  ) {
    this.adapter = reportOf(gpu.adapterInfo);
    this.bound = plan.steps.map(() => undefined);
  }

  /** Uploads the constants and runs what depends on nothing else. */
  async load(): Promise<void> {
    const { plan, gpu } = this;
    await watched(gpu, "loading constants", () => {
      for (const { place, data } of plan.constants) this.upload(place, data);
      if (plan.once === 0) return;
      const encoder = gpu.createCommandEncoder();
      this.encode(encoder, 0, plan.once, new Map());
      gpu.queue.submit([encoder.finish()]);
    });
    await gpu.queue.onSubmittedWorkDone();
  }

  run(inputs: Inputs, options: RunOptions = {}): Promise<Readonly<Record<string, Result>>> {
    return this.turn(inputs, options, async (start) => {
      const staging: GPUBuffer[] = [];
      try {
        const started = start(new Map(), (encoder) => {
          for (const { place, shape } of this.plan.outputs) {
            const bytes = 4 * elements(shape);
            const into = this.gpu.createBuffer({ size: Math.max(16, bytes), usage: usage.MAP_READ | usage.COPY_DST });
            staging.push(into);
            this.copyOut(encoder, place, into, bytes, inputs);
          }
        });
        const mapped = Promise.allSettled(staging.map((s) => s.mapAsync(mapRead)));
        await started;
        for (const m of await mapped) if (m.status === "rejected") throw m.reason;
        const results: Record<string, Result> = {};
        this.plan.outputs.forEach(({ name, shape }, k) => {
          results[name] = { data: new Float32Array(staging[k]!.getMappedRange(), 0, elements(shape)).slice(), shape };
        });
        return results;
      } finally {
        for (const s of staging) s.destroy();
      }
    });
  }

  runOnDevice(inputs: Inputs, options: ResidentOptions = {}): Promise<Readonly<Record<string, ResidentResult>>> {
    return this.turn(inputs, options, async (start) => {
      checkTargets(this.plan.outputs, options.into ?? {});
      const results: Record<string, ResidentResult> = {};
      const made: GPUBuffer[] = [];
      const instead = new Map<number, GPUBuffer>();
      const copies: { readonly tensor: WebgpuTensor; readonly into: GPUBuffer }[] = [];
      const given = new Set(this.plan.inputs.flatMap((i) => i.place.buffers));
      const read = new Set(Object.values(inputs).filter(isBuffer));
      for (const tensor of this.plan.outputs) {
        const [only] = tensor.place.buffers;
        let into = options.into?.[tensor.name];
        if (!into) made.push((into = this.gpu.createBuffer({ label: tensor.name, size: vectorBytes(tensor.shape), usage: usage.STORAGE | usage.COPY_SRC | usage.COPY_DST })));
        results[tensor.name] = { data: into, shape: tensor.shape };
        // Where nothing but this output lies in a buffer, the steps write to the caller's at once.
        const direct = this.alone(tensor) && into.usage & usage.STORAGE && into.size >= vectorBytes(tensor.shape) && !read.has(into) && ![...instead.values()].includes(into);
        if (direct && !instead.has(only!) && !given.has(only!) && !this.once(only!)) instead.set(only!, into);
        else copies.push({ tensor, into });
      }
      try {
        await start(instead, (encoder) => {
          for (const { tensor, into } of copies) {
            const source = tensor.place.buffers.length === 1 ? instead.get(tensor.place.buffers[0]!) : undefined;
            if (source) encoder.copyBufferToBuffer(source, 0, into, 0, 4 * elements(tensor.shape));
            else this.copyOut(encoder, tensor.place, into, 4 * elements(tensor.shape), inputs);
          }
        });
        await this.gpu.queue.onSubmittedWorkDone();
      } catch (error) {
        for (const b of made) b.destroy();
        throw error;
      }
      return results;
    });
  }

  timings(): readonly { readonly name: string; readonly ms: number }[] {
    return this.stopwatch?.last ?? [];
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    void this.queue.then(() => {
      for (const b of this.buffers) b.destroy();
      this.stopwatch?.destroy();
    });
  }

  /** Waits for the runs before, checks, and has `work` start the steps and collect the results. */
  private turn<T>(
    inputs: Inputs,
    { signal, onProgress }: RunOptions,
    work: (start: (instead: Map<number, GPUBuffer>, after: (encoder: GPUCommandEncoder) => void) => Promise<void>) => Promise<T>,
  ): Promise<T> {
    const once = async (): Promise<T> => {
      if (this.disposed) throw new IndexicalError("disposed", "the executable was disposed of", { remedy: "Compile the program again." });
      signal?.throwIfAborted();
      const count = this.plan.steps.length - this.plan.once;
      const start = (instead: Map<number, GPUBuffer>, after: (encoder: GPUCommandEncoder) => void): Promise<void> =>
        watched(this.gpu, "running", () => {
          const encoder = this.gpu.createCommandEncoder();
          this.give(inputs, instead, encoder);
          this.encode(encoder, this.plan.once, this.plan.steps.length, instead);
          after(encoder);
          this.stopwatch?.collect(encoder);
          this.gpu.queue.submit([encoder.finish()]);
        });
      const result = await this.loss.during(async () => {
        const done = await work(start);
        await this.stopwatch?.read(this.plan.once);
        return done;
      });
      this.loss.check();
      onProgress?.(count, count);
      signal?.throwIfAborted();
      return result;
    };
    const turn = this.queue.then(once);
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  /** Uploads inputs; those on the device already are used where they are, or copied when they share a buffer. */
  private give(inputs: Inputs, instead: Map<number, GPUBuffer>, encoder: GPUCommandEncoder): void {
    for (const tensor of this.plan.inputs) {
      const { name, place, shape } = tensor;
      const given = inputs[name];
      if (given === undefined) throw new IndexicalError("input-missing", `no numbers were given for the input ${name}, of shape [${shape.join(", ")}]`);
      if (!isBuffer(given)) {
        this.upload(place, given instanceof Float32Array ? given : Float32Array.from(given));
        continue;
      }
      checkSource(tensor, given);
      if (this.alone(tensor) && given.usage & usage.STORAGE && given.size >= vectorBytes(shape)) instead.set(place.buffers[0]!, given);
      else if (given.usage & usage.COPY_SRC) this.copyIn(encoder, place, given, 4 * elements(shape));
      else throw refusedSource(tensor, given);
    }
  }

  private upload(place: WebgpuPlace, data: Float32Array): void {
    place.buffers.forEach((b, k) => {
      const from = k * place.span;
      const count = Math.min(place.span, data.length - from);
      if (count > 0) this.gpu.queue.writeBuffer(this.buffers[b]!, 4 * place.offset, data.buffer as ArrayBuffer, data.byteOffset + 4 * from, 4 * count);
    });
  }

  private copyIn(encoder: GPUCommandEncoder, place: WebgpuPlace, from: GPUBuffer, bytes: number): void {
    place.buffers.forEach((b, k) => {
      const at = 4 * k * place.span;
      const size = Math.min(4 * place.span, bytes - at);
      if (size > 0) encoder.copyBufferToBuffer(from, at, this.buffers[b]!, 4 * place.offset, size);
    });
  }

  private copyOut(encoder: GPUCommandEncoder, place: WebgpuPlace, into: GPUBuffer, bytes: number, inputs: Inputs): void {
    // An input that is returned as it is may lie in the caller's buffer.
    const given = this.plan.inputs.find((i) => i.place.buffers[0] === place.buffers[0] && i.place.offset === place.offset);
    const source = given && inputs[given.name];
    place.buffers.forEach((b, k) => {
      const at = 4 * k * place.span;
      const size = Math.min(4 * place.span, bytes - at);
      if (size <= 0) return;
      if (source !== undefined && isBuffer(source)) encoder.copyBufferToBuffer(source, at, into, at, size);
      else encoder.copyBufferToBuffer(this.buffers[b]!, 4 * place.offset, into, at, size);
    });
  }

  /** Whether a tensor has one buffer, and nothing else lies in it. */
  private alone({ place, shape }: WebgpuTensor): boolean {
    const [only] = place.buffers;
    return place.buffers.length === 1 && place.offset === 0 && this.plan.buffers[only!]!.bytes === Math.max(16, 64 * Math.ceil(elements(shape) / 16)) && !this.plan.constants.some((c) => c.place.buffers.includes(only!));
  }

  /** Whether a step that runs only once writes to the buffer. */
  private once(buffer: number): boolean {
    return this.plan.steps.slice(0, this.plan.once).some((s) => s.bindings.some((b) => b.write && b.buffer === buffer));
  }

  private encode(encoder: GPUCommandEncoder, first: number, last: number, instead: ReadonlyMap<number, GPUBuffer>): void {
    if (first === last) return;
    let pass = this.stopwatch ? undefined : encoder.beginComputePass();
    for (let k = first; k < last; k++) {
      const step = this.plan.steps[k]!;
      if (this.stopwatch) pass = encoder.beginComputePass({ timestampWrites: this.stopwatch.around(k) });
      pass!.setPipeline(this.pipelines[k]!);
      pass!.setBindGroup(0, this.bindings(k, instead));
      pass!.dispatchWorkgroups(...step.groups);
      if (this.stopwatch) pass!.end();
    }
    if (!this.stopwatch) pass!.end();
  }

  private bindings(k: number, instead: ReadonlyMap<number, GPUBuffer>): GPUBindGroup {
    const { bindings } = this.plan.steps[k]!;
    const own = !bindings.some((b) => instead.has(b.buffer));
    if (own && this.bound[k]) return this.bound[k];
    const entries = bindings.map(({ buffer }, binding) => ({ binding, resource: this.resource(buffer, instead) }));
    const group = this.gpu.createBindGroup({ layout: this.pipelines[k]!.getBindGroupLayout(0), entries });
    if (own) this.bound[k] = group;
    return group;
  }

  /** No more of a caller's buffer is bound than the plan needs: the rest may be beyond the limit of a binding. */
  private resource(buffer: number, instead: ReadonlyMap<number, GPUBuffer>): GPUBufferBinding {
    const given = instead.get(buffer);
    return given ? { buffer: given, size: Math.min(given.size - (given.size % 4), this.plan.buffers[buffer]!.bytes) } : { buffer: this.buffers[buffer]! };
  }
}
