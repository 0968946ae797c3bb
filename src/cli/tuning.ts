import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Tuning } from "../compiler/index.js";
import { misused } from "./usage.js";

export interface TuningArguments {
  readonly tune?: boolean;
  readonly tuning?: string;
}

/** Compile options for `--tune` and `--tuning FILE`. With both, the file may be new. @throws cli-file */
export const readTuningFile = ({ tune, tuning: file }: TuningArguments): { readonly tune: boolean; readonly tuning: Tuning | undefined } => {
  if (file === undefined || (tune && !existsSync(file))) return { tune: tune ?? false, tuning: undefined };
  try {
    return { tune: tune ?? false, tuning: JSON.parse(readFileSync(file, "utf8")) as Tuning };
  } catch (error) {
    return misused("cli-file", `--tuning ${file} can't be read: ${(error as Error).message}`, "Make it with --tune --tuning FILE.");
  }
};

/** Writes what was known and measured back, when something was to be measured. */
export const writeTuningFile = ({ tune, tuning: file }: TuningArguments, found: Tuning | undefined): void => {
  if (tune && file !== undefined && found) writeFileSync(file, `${JSON.stringify(found, null, 1)}\n`);
};
