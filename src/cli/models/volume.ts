import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { gunzip, isGzip, isNifti, readArrays, readNifti, type VolumeImage } from "../../lib/formats/index.js";
import { readBytes } from "../../lib/formats/node.js";
import { hounsfieldWindows, minMax, readDicom, volumeFromArray, windowed, zScore, type Change, type DicomVolume } from "../../lib/volumes/index.js";
import { IndexicalError } from "../../dsl/index.js";
import { suggest } from "../../dsl/suggest.js";
import { advised, misused } from "../usage.js";

/** A volume to run a network on, and how thick its slices are, in mm. */
export interface ReadVolume {
  readonly image: VolumeImage;
  readonly thickness: number;
}

/** A NIfTI file, a folder of DICOM files, or an array of three axes. @throws cli-argument and what the readers throw */
export const readVolume = async (path: string, series?: string): Promise<ReadVolume> => {
  if (existsSync(path) && statSync(path).isDirectory()) {
    const files = readdirSync(path).filter((name) => statSync(join(path, name)).isFile());
    if (files.length === 0) misused("cli-argument", `the folder ${path} holds no files`, "A folder is read as a DICOM series.");
    const read = await Promise.all(files.map(async (name) => ({ name, bytes: await readBytes(join(path, name)) })));
    const slices = read.filter(({ name, bytes }) => isDicom(bytes) && name !== "DICOMDIR");
    if (slices.length === 0) misused("cli-argument", `the folder ${path} holds ${files.length} files, none of which is a DICOM slice`, "Give the folder of one series, or one NIfTI or array file.");
    if (slices.length < read.length) console.error(`left out, as no DICOM slices: ${read.filter((file) => !slices.includes(file)).map(({ name }) => name).join(", ")}`);
    const image = oneSeries(slices.map(({ bytes }) => bytes), series);
    return { image, thickness: image.thickness };
  }
  if (series !== undefined) misused("cli-argument", `--series ${series}: ${path} is no folder of DICOM files`);
  const bytes = await readBytes(path);
  const file = isGzip(bytes) ? gunzip(bytes) : bytes;
  if (isNifti(file)) {
    const image = readNifti(file);
    return { image, thickness: image.spacing[2] };
  }
  const arrays = Object.entries(readArrays(file, path));
  if (arrays.length !== 1) misused("cli-argument", `${path} holds ${arrays.length} arrays: ${arrays.map(([name]) => name).slice(0, 8).join(", ")}`, "Give a file of one volume.");
  const [, array] = arrays[0]!;
  const image = volumeFromArray({ ...array, shape: array.shape.slice(array.shape.findIndex((n, a) => n !== 1 || array.shape.length - a <= 3)) });
  return { image, thickness: 1 };
};

/** @throws as readDicom, which says how to choose among several series in code; here it is an option. */
const oneSeries = (slices: readonly Uint8Array[], series: string | undefined): DicomVolume => {
  try {
    return readDicom(slices, series === undefined ? {} : { series });
  } catch (error) {
    if (!(error instanceof IndexicalError) || error.code !== "format-dicom-series" || error.remedy?.startsWith("Choose by") !== true) throw error;
    throw advised(error, error.remedy.replace(/^Choose by [^.]*\./, "Choose with --series."));
  }
};

/** The mark of a DICOM file, after a preamble of 128 bytes. */
const isDicom = (bytes: Uint8Array): boolean => Buffer.from(bytes.subarray(128, 132)).toString("latin1") === "DICM";

/** How values are made what the network was trained on: `none`, `min-max`, `z-score`, `window:LOW,HIGH`, or a window by its name. @throws cli-argument */
export const intensityOf = (text: string): Change | undefined => {
  const [name, range] = text.split(":", 2) as [string, string | undefined];
  if (name === "window" && range !== undefined) {
    const [low, high] = range.split(",").map(Number);
    if (!Number.isFinite(low) || !Number.isFinite(high)) misused("cli-argument", `--intensity ${text} has no two numbers`, "Write --intensity window:-200,250.");
    return windowed([low!, high!]);
  }
  const windows = Object.entries(hounsfieldWindows).map(([window, [low, high]]) => [window, windowed([low, high])] as const);
  const all: Readonly<Record<string, Change | undefined>> = { none: undefined, "min-max": minMax(), "z-score": zScore(), ...Object.fromEntries(windows) };
  if (!Object.hasOwn(all, text)) misused("cli-argument", `there is no intensity ${text}`, `Write ${Object.keys(all).join(", ")}, or window:LOW,HIGH.${suggest(text, Object.keys(all))}`);
  return all[text];
};
