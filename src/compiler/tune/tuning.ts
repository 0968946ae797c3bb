import { describe, IndexicalError } from "../../dsl/index.js";

/**
 * Winners of earlier measurements. Plain JSON: it can be written to a file, shipped and loaded on other machines, and one
 * file may hold many devices.
 */
export interface Tuning {
  readonly indexical: "tuning";
  readonly format: 1;
  /** By what they were measured on: the device, the processor or adapter, threads, and the version of this package. */
  readonly devices: Readonly<Record<string, Measured>>;
}

/** Winners on one device, by the normal form of the kernel: the same layer elsewhere finds its own. */
export type Measured = Readonly<Record<string, Winner>>;

/** How a kernel runs best, and what was measured. */
export interface Winner {
  /** For people: what is computed. */
  readonly kernel: string;
  /** Numbers that describe the schedule, as each back end reads them; null where the cost model's choice won. */
  readonly choice: Readonly<Record<string, number>> | null;
  /** Milliseconds of the winner and of the cost model's choice. */
  readonly ms: number;
  readonly modelMs: number;
}

export const noTuning: Tuning = { indexical: "tuning", format: 1, devices: {} };

const isRecord = (v: unknown): v is Readonly<Record<string, unknown>> => typeof v === "object" && v !== null && !Array.isArray(v);

const isChoice = (v: unknown): boolean => v === null || (isRecord(v) && Object.values(v).every((n) => typeof n === "number" && Number.isInteger(n)));

/**
 * Checks what may have come from a file. What it says about kernels is checked again where it is used: a schedule that
 * is none of a kernel's candidates is left out.
 * @throws tuning-malformed
 */
export const readTuning = (given: unknown): Tuning => {
  const wrong = (what: string): never => {
    throw new IndexicalError("tuning-malformed", `the tuning is not one that this package wrote: ${what}`, {
      remedy: "Give the tuning of a compiled program as it was, or tune again with tune: true.",
    });
  };
  if (!isRecord(given)) return wrong(`it is ${describe(given)}`);
  if (given["indexical"] !== "tuning") return wrong('it has no mark { "indexical": "tuning" }');
  if (given["format"] !== 1) return wrong(`its format is ${describe(given["format"])}, and this version reads format 1`);
  const { devices } = given;
  if (!isRecord(devices)) return wrong(`devices is ${describe(devices)}`);
  for (const [device, measured] of Object.entries(devices)) {
    if (!isRecord(measured)) return wrong(`what it holds for ${device} is ${describe(measured)}`);
    for (const [key, winner] of Object.entries(measured))
      if (!isRecord(winner) || typeof winner["kernel"] !== "string" || !isChoice(winner["choice"]) || typeof winner["ms"] !== "number" || typeof winner["modelMs"] !== "number")
        return wrong(`the kernel ${key} of ${device} has no { kernel, choice, ms, modelMs }`);
  }
  return given as unknown as Tuning;
};

/** What a tuning holds for a device. */
export const measuredOn = (tuning: Tuning, device: string): Measured => (Object.hasOwn(tuning.devices, device) ? tuning.devices[device]! : {});

/** A tuning with more winners on a device. */
export const withMeasured = (tuning: Tuning, device: string, more: Measured): Tuning => ({
  ...tuning,
  devices: { ...tuning.devices, [device]: { ...measuredOn(tuning, device), ...more } },
});
