import { parseCase } from "../../../src/cli/goldens/case.js";
import { runCase, type CaseResult } from "../../../src/cli/goldens/run.js";
import { compile, IndexicalError, sum, tensor, type Compiled, type CompileOptions, type Volume } from "../../../src/index.js";
import { ofNetworks } from "../../support/kinds.js";
import { living } from "./living.js";
import { untransformed } from "./untransformed.js";

/** What a page is asked for. It travels as JSON. */
export interface Order {
  readonly job: keyof typeof jobs;
  readonly options: Pick<CompileOptions, "device" | "threads" | "worker">;
  /** Runs in a worker of the page. */
  readonly inWorker?: boolean;
  /** Waits until the network is gone; the page says when it has all that it needs. */
  readonly offline?: boolean;
}

export type Options = Order["options"];

/** The bytes of a file of this site. */
const bytes = async (path: string): Promise<Uint8Array> => {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
};

type Files = ReadonlyMap<string, readonly [json: Uint8Array, tensors: Uint8Array]>;

/** All golden cases, by id. */
export const fetchGoldens = async (): Promise<Files> => {
  const ids = JSON.parse(new TextDecoder().decode(await bytes("/goldens.json"))) as string[];
  return new Map(
    await Promise.all(ids.map(async (id) => [id, await Promise.all([bytes(`/goldens/${id}.json`), bytes(`/goldens/${id}.safetensors`)])] as const)),
  );
};

const runGoldens = async (options: Options, files: () => Promise<Files>, networks: boolean): Promise<readonly CaseResult[]> => {
  const results: CaseResult[] = [];
  for (const [id, [json, tensors]] of await files()) {
    const golden = parseCase(id, json, tensors);
    if (networks || !ofNetworks.has(golden.kind)) results.push(await runCase(id, () => Promise.resolve(golden), options));
  }
  return results;
};
const goldens = (options: Options, files: () => Promise<Files>): Promise<readonly CaseResult[]> => runGoldens(options, files, true);
const smallGoldens = (options: Options, files: () => Promise<Files>): Promise<readonly CaseResult[]> => runGoldens(options, files, false);

const smooth = (x: Volume): Volume => tensor((n, c, d, h, w) => sum([3, 3, 3], (i, j, k) => x(n, c, d + i, h + j, w + k) / 27));

const extent = 32;
/** Averages over 27 neighbours, some times over. */
const compileAverage = (options: CompileOptions, times: number): Promise<Compiled<{ x: Volume }, Volume>> =>
  compile(
    ({ x }: { x: Volume }): Volume => Array.from({ length: times }).reduce<Volume>((y) => smooth(y), x),
    { x: [1, 1, extent, extent, extent] },
    options,
  );
const ramp = (from: number): Float32Array => Float32Array.from({ length: extent ** 3 }, (_, i) => from + Math.floor(i / extent ** 2));
/** The average of a ramp is the ramp, without its borders. */
const isRamp = (from: number, times: number, { data }: { readonly data: ArrayLike<number> }): boolean => {
  const inner = extent - 2 * times;
  return data.length === inner ** 3 && Array.from(data).every((v, i) => Math.abs(v - (from + times + Math.floor(i / inner ** 2))) < 1e-3);
};

/** The name and the message of what is thrown. */
const refusal = async (attempt: () => Promise<unknown>): Promise<{ readonly name: string; readonly code: string; readonly message: string }> => {
  try {
    await attempt();
  } catch (error) {
    const { name, message } = error as Error;
    return { name, code: error instanceof IndexicalError ? error.code : "", message };
  }
  return { name: "", code: "", message: "nothing was thrown" };
};

const aborts = async (
  options: Options,
): Promise<{
  readonly before: string;
  readonly compiling: string;
  readonly during: string;
  readonly told: number;
  readonly after: boolean;
  readonly device: string;
}> => {
  const compiling = await refusal(() => compileAverage({ ...options, signal: AbortSignal.abort() }, 8));
  const executable = await compileAverage(options, 8);
  const before = await refusal(() => executable.run({ x: ramp(0) }, { signal: AbortSignal.abort() }));
  const controller = new AbortController();
  let told = 0;
  const onProgress = (): void => {
    told++;
    controller.abort();
  };
  const during = await refusal(() => executable.run({ x: ramp(0) }, { signal: controller.signal, onProgress }));
  const after = isRamp(5, 8, await executable.run({ x: ramp(5) }));
  executable.dispose();
  return { compiling: compiling.name, before: before.name, during: during.name, told, after, device: executable.device };
};

/** Compiles, runs and disposes; and what is alive then, of all that was made. */
const disposal = async (
  options: Options,
): Promise<{ readonly made: number; readonly alive: Readonly<Record<string, number>>; readonly disposed: string; readonly right: boolean }> => {
  const count = living();
  let disposed = "";
  let right = true;
  for (let round = 0; round < 10; round++) {
    const executable = await compileAverage(options, 3);
    right &&= isRamp(round, 3, await executable.run({ x: ramp(round) }));
    executable.dispose();
    disposed = (await refusal(() => executable.run({ x: ramp(0) }))).code;
  }
  return { right, disposed, ...(await count()) };
};

/** Programs that are all alive at once. */
const together = async (options: Options): Promise<{ readonly right: readonly boolean[] }> => {
  const all = await Promise.all(Array.from({ length: 20 }, () => compileAverage(options, 1)));
  const right: boolean[] = [];
  for (const [k, executable] of all.entries()) right.push(isRamp(k, 1, await executable.run({ x: ramp(k) })));
  for (const executable of all) executable.dispose();
  return { right };
};

/** Where a program really runs, or why it does not. */
const where = async (
  options: Options,
): Promise<{ readonly device: string; readonly why: string; readonly right: boolean } | { readonly code: string; readonly message: string }> => {
  try {
    const executable = await compileAverage(options, 2);
    const right = isRamp(2, 2, await executable.run({ x: ramp(2) }));
    executable.dispose();
    return { device: executable.device, why: executable.why, right };
  } catch (error) {
    return refusal(() => Promise.reject(error as Error));
  }
};

/** A device of the page's own, used by both back ends of WebGPU. */
const ownDevice = async ({
  device,
}: Options): Promise<{ readonly devices: readonly string[]; readonly right: readonly boolean[]; readonly others: number }> => {
  const adapter = await navigator.gpu.requestAdapter();
  const gpu = await adapter!.requestDevice();
  let others = 0;
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = function (...of) {
    others++;
    return requestDevice.apply(this, of);
  };
  const found = navigator;
  const all = await Promise.all([device, "webgpu", "gpujs:webgpu"].map((name) => compileAverage({ device: name, gpu }, 2)));
  const right: boolean[] = [];
  for (const [k, executable] of all.entries()) right.push(isRamp(k, 2, await executable.run({ x: ramp(k) })));
  for (const executable of all) executable.dispose();
  GPUAdapter.prototype.requestDevice = requestDevice;
  // The device is still the page's, and so is its navigator.
  right.push(navigator === found, (await gpu.queue.onSubmittedWorkDone()) === undefined);
  return { devices: all.map((executable) => executable.device), right, others };
};

/** Measures schedules, and runs with what was found. */
const tunes = async (options: Options): Promise<{ readonly why: string; readonly machines: readonly string[]; readonly right: boolean }> => {
  const executable = await compileAverage({ ...options, tune: true }, 2);
  const tuning = executable.tuning;
  const again = await compileAverage({ ...options, tuning }, 2);
  const right = isRamp(2, 2, await executable.run({ x: ramp(2) })) && isRamp(3, 2, await again.run({ x: ramp(3) }));
  executable.dispose();
  again.dispose();
  return { why: again.why, machines: Object.keys(tuning!.devices), right };
};

export const jobs = {
  goldens,
  smallGoldens,
  aborts,
  disposal,
  together,
  tunes,
  ownDevice,
  where,
  untransformed: ({ device = "auto" }: Options) => refusal(() => untransformed(device)),
} as const;
