import { gunzip, gzip, isGzip } from "./gzip.js";
import type { Limits } from "./inflate.js";
import { fromIjk, readNifti, toIjk, writeNifti, type NiftiContent } from "./nifti.js";
import { isNifti } from "./nifti-header.js";
import { isNpy, readNpy, readNpz, writeNpy, writeNpz } from "./npy.js";
import { emptyRecord, refuse, type Arrays, type NdArray } from "./ndarray.js";
import { isSafetensors, readSafetensors, writeSafetensors } from "./safetensors.js";
import { isZip } from "./zip.js";

/** The formats that hold arrays. Each may be compressed by gzip as a whole. */
export type ArrayFormat = "npy" | "npz" | "safetensors" | "nifti";

/** Name of the array of a file that holds one without a name. */
export const ONLY = "data";

/** The format that these bytes are in, by what they hold; file names lie. Gzip must be undone first. */
export const formatOf = (bytes: Uint8Array): ArrayFormat | undefined => {
  if (isNpy(bytes)) return "npy";
  if (isZip(bytes)) return "npz";
  if (isNifti(bytes)) return "nifti";
  return isSafetensors(bytes) ? "safetensors" : undefined;
};

/** Refuses bytes of no known format, showing how they start. @throws `format-unknown` */
export const refuseUnknown = (bytes: Uint8Array, name: string, formats: string): never => {
  const start = [...bytes.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return refuse("format-unknown", `${name} is none of ${formats}: ${bytes.length === 0 ? "it is empty" : `it starts with ${start}`}`);
};

/**
 * The arrays of a .npy, .npz, safetensors or NIfTI file, or of one of those compressed by gzip. The format is found from the bytes.
 * A .npy file and a NIfTI image give one array called `data`; that of a NIfTI image is indexed [i][j][k], as NiBabel indexes it.
 * @param name what to call the file in errors
 * @throws `format-unknown`, and what the reader of the format throws
 */
export const readArrays = (bytes: Uint8Array, name = "the file", limits: Limits = {}): Arrays => {
  const file = isGzip(bytes) ? gunzip(bytes, limits) : bytes;
  switch (formatOf(file)) {
    case "npy": return single(readNpy(file));
    case "npz": return readNpz(file, limits);
    case "safetensors": return readSafetensors(file);
    case "nifti": return single(toIjk(readNifti(file, limits)));
    default: return refuseUnknown(file, name, ".npy, .npz, safetensors and NIfTI");
  }
};

/**
 * The one array of a file, or the one called `key`.
 * @throws `format-name` when there is no such array, or when there are several and none was chosen
 */
export const readArray = (bytes: Uint8Array, name = "the file", key?: string, limits: Limits = {}): NdArray => {
  const arrays = readArrays(bytes, name, limits);
  const keys = Object.keys(arrays);
  const chosen = key ?? (keys.length === 1 ? keys[0] : undefined);
  if (chosen !== undefined && chosen in arrays) return arrays[chosen];
  return refuse("format-name", chosen === undefined ? `${name} holds ${keys.length} arrays` : `${name} has no array ${chosen}`, `It holds: ${keys.slice(0, 20).join(", ")}${keys.length > 20 ? ", ..." : ""}.`);
};

export interface WriteOptions {
  /** For NIfTI: where the image lies. A `VolumeImage` will do. */
  readonly like?: Pick<NiftiContent, "affine" | "header">;
}

/**
 * Arrays as a file of the format that `name` ends in: .npy, .npz, .safetensors, .nii, and any of them with .gz.
 * For .nii the array is indexed [i][j][k], as `readArrays` gives it. Half floats become float32 there.
 * @throws `format-unknown` for another ending, `format-name` when the format holds one array and there are several, and what the writer throws
 */
export const writeArrays = (name: string, arrays: Readonly<Arrays>, { like = {} }: WriteOptions = {}): Uint8Array => {
  const [, ending, packed] = /\.(npy|npz|safetensors|nii)(\.gz)?$/i.exec(name) ?? refuse("format-unknown", `${name} ends in none of .npy .npz .safetensors .nii .nii.gz`);
  const bytes = writers[ending.toLowerCase() as keyof typeof writers](name, arrays, like);
  return packed ? gzip(bytes) : bytes;
};

const writers = {
  npy: (name: string, arrays: Readonly<Arrays>): Uint8Array => writeNpy(only(name, arrays)),
  npz: (_: string, arrays: Readonly<Arrays>): Uint8Array => writeNpz(arrays),
  safetensors: (_: string, arrays: Readonly<Arrays>): Uint8Array => writeSafetensors(arrays),
  nii: (name: string, arrays: Readonly<Arrays>, like: Pick<NiftiContent, "affine" | "header">): Uint8Array => writeNifti({ ...like, ...fromIjk(only(name, arrays)) }),
};

const only = (name: string, arrays: Readonly<Arrays>): NdArray => {
  const keys = Object.keys(arrays);
  if (keys.length !== 1) refuse("format-name", `${name} can hold one array, not ${keys.length}${keys.length ? `: ${keys.join(", ")}` : ""}`, "Write .npz or .safetensors.");
  return arrays[keys[0]];
};

const single = (array: NdArray): Arrays => {
  const arrays = emptyRecord<NdArray>();
  arrays[ONLY] = array;
  return arrays;
};
