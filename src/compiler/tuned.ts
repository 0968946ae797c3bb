import { IndexicalError } from "../dsl/index.js";
import { devices, type Device, type DeviceOptions } from "./devices.js";
import { runPasses } from "./passes.js";
import type { Traced } from "./trace.js";
import { applied, measuredOn, noTuning, readTuning, schedulesOf, tuneKernels, type Tuned, type TuneOptions } from "./tune/index.js";

/** Looks kernels up, and measures them when asked. @throws tuning-malformed, tuning-device; AbortError by the signal. */
export const tuneOn = async (device: Device, traced: Traced, options: DeviceOptions & TuneOptions & { readonly signal?: AbortSignal | undefined }): Promise<Tuned> => {
  const known = options.tuning === undefined ? noTuning : readTuning(options.tuning);
  if (!device.tuner) {
    if (options.tune)
      throw new IndexicalError("tuning-device", `the device ${device.name} has no schedules to choose from`, {
        remedy: `Compile without tune, or for ${devices.filter((d) => d.tuner).map((d) => d.name).join(" or ")}.`,
      });
    return { tuning: known, schedules: schedulesOf({}), note: `the tuning is of no use to ${device.name}` };
  }
  const { machine, tunables } = await device.tuner(options);
  const all = tunables(runPasses(traced));
  const { tuning, wrong } = options.tune ? await tuneKernels(all, known, machine, options.signal) : { tuning: known, wrong: 0 };
  const note = applied(all.map((t) => t.key), tuning, machine);
  return { tuning, schedules: schedulesOf(measuredOn(tuning, machine)), note: wrong > 0 ? `${note}; ${wrong} candidates computed something else and were left out` : note };
};
