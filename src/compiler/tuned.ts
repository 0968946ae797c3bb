import { IndexicalError } from "../dsl/index.js";
import { devices, type Device, type DeviceOptions } from "./devices.js";
import { runPasses } from "./passes.js";
import type { Traced } from "./trace.js";
import { applied, measuredOn, noTuning, readTuning, tuneKernels, type Measured, type Tuning } from "./tune/index.js";

export interface TuneOptions {
  /** Measures schedules of each kernel that `tuning` does not know, which takes seconds. Results stay what they are, rounding on `webgpu` apart. */
  readonly tune?: boolean | undefined;
  /** What was measured before: `tuning` of a compiled program, also from a file. Kernels that it does not know for this device run as the cost model has it. */
  readonly tuning?: Tuning | undefined;
}

/** How kernels run best on a device. */
export interface Tuned {
  readonly tuning: Tuning;
  readonly measured: Measured;
  /** What was found, as a sentence. */
  readonly note: string;
}

/** Looks kernels up, and measures them when asked. @throws tuning-malformed, tuning-device; AbortError by the signal. */
export const tuneOn = async (device: Device, traced: Traced, options: DeviceOptions & TuneOptions & { readonly signal?: AbortSignal | undefined }): Promise<Tuned | undefined> => {
  if (!options.tune && options.tuning === undefined) return undefined;
  const known = options.tuning === undefined ? noTuning : readTuning(options.tuning);
  if (!device.tuner) {
    if (options.tune)
      throw new IndexicalError("tuning-device", `the device ${device.name} has no schedules to choose from`, {
        remedy: `Compile without tune, or for ${devices.filter((d) => d.tuner).map((d) => d.name).join(" or ")}.`,
      });
    return { tuning: known, measured: {}, note: `the tuning is of no use to ${device.name}` };
  }
  const { machine, tunables } = await device.tuner(options);
  const all = tunables(runPasses(traced));
  const { tuning, wrong } = options.tune ? await tuneKernels(all, known, machine, options.signal) : { tuning: known, wrong: 0 };
  const measured = measuredOn(tuning, machine);
  const note = applied(all.map((t) => t.key), tuning, machine);
  return { tuning, measured, note: wrong > 0 ? `${note}; ${wrong} candidates computed something else and were left out` : note };
};
