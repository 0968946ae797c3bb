import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { readArrays, writeArrays, type WriteOptions } from "./arrays.js";
import type { Limits } from "./inflate.js";
import { readLayersModel, shardNames, type LayersModel } from "./layers-model.js";
import { readNifti, writeNifti, type NiftiContent, type NiftiImage } from "./nifti.js";
import { refuse, type Arrays } from "./ndarray.js";
import { readWeights, weightsFormatOf, type WeightsOptions } from "./weights.js";

/** The bytes of a file; also of one beyond 2 GiB, which `readFile` of Node refuses. @throws `format-file` */
export const readBytes = (path: string): Promise<Uint8Array> =>
  attempt("read", path, async () => {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      if (size === 0) return new Uint8Array(await readFile(path)); // pipes and the like have no size
      const bytes = new Uint8Array(size);
      let at = 0;
      while (at < size) {
        const { bytesRead } = await file.read(bytes, at, Math.min(size - at, 2 ** 30), at);
        if (bytesRead === 0) break;
        at += bytesRead;
      }
      return bytes.subarray(0, at);
    } finally {
      await file.close();
    }
  });

/** Writes a file and the folders above it. @throws `format-file` */
export const writeBytes = (path: string, bytes: Uint8Array): Promise<void> =>
  attempt("write", path, async () => {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
  });

/** `readArrays` of a file. */
export const readArraysFile = async (path: string, limits: Limits = {}): Promise<Arrays> => readArrays(await readBytes(path), path, limits);

/** `writeArrays` to a file. */
export const writeArraysFile = (path: string, arrays: Readonly<Arrays>, options: WriteOptions = {}): Promise<void> => writeBytes(path, writeArrays(path, arrays, options));

/** `readNifti` of a file. */
export const readVolumeFile = async (path: string, limits: Limits = {}): Promise<NiftiImage> => readNifti(await readBytes(path), limits);

/** `writeNifti` to a file, compressed when its name ends in .gz. */
export const writeVolumeFile = (path: string, image: NiftiContent): Promise<void> => writeBytes(path, writeNifti(image, { gzip: path.endsWith(".gz") }));

/** `readLayersModel` of a model.json and the shards beside it. */
export const readLayersModelFile = async (path: string): Promise<LayersModel> => {
  const model = await readBytes(path);
  const shards = await Promise.all(shardNames(model).map(async (name) => [name, await readBytes(join(dirname(path), name))] as const));
  return readLayersModel(model, new Map(shards));
};

/** `readWeights` of a file; of a tfjs model.json together with the shards beside it. */
export const readWeightsFile = async (path: string, options: WeightsOptions = {}): Promise<Arrays> => {
  const bytes = await readBytes(path);
  if (weightsFormatOf(bytes) !== "tfjs" || options.files) return readWeights(bytes, options);
  const shards = await Promise.all(shardNames(bytes).map(async (name) => [name, await readBytes(join(dirname(path), name))] as const));
  return readWeights(bytes, { ...options, files: new Map(shards) });
};

const reasons: Readonly<Record<string, string>> = { ENOENT: "there is no such file", EISDIR: "it is a folder", EACCES: "that is not permitted", EEXIST: "there is a file where a folder is needed", ENOTDIR: "there is a file where a folder is needed", ENOSPC: "the disk is full" };

/** Why the system refused, in words. */
const reasonOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause);
  return ("code" in cause && typeof cause.code === "string" ? reasons[cause.code] : undefined) ?? cause.message;
};

const attempt = async <T>(what: string, path: string, action: () => Promise<T>): Promise<T> => {
  try {
    return await action();
  } catch (cause) {
    return refuse("format-file", `cannot ${what} ${path}: ${reasonOf(cause)}`, undefined, cause);
  }
};
