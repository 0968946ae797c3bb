import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseCase, type GoldenCase } from "./case.js";
import { malformed } from "./fields.js";

/** The ids of the cases of a folder: every name that ends in .json or .safetensors. A case of which one file is missing is a case that fails. */
export const caseIds = async (folder: string): Promise<string[]> => {
  const names = await readdir(folder);
  return [...new Set(names.flatMap((name) => /^(.+)\.(?:json|safetensors)$/.exec(name)?.[1] ?? []))].sort();
};

/** Reads `<id>.json` and `<id>.safetensors` of a folder. @throws golden-malformed, or what reading them throws, when the case can't be read */
export const readCase = async (folder: string, id: string): Promise<GoldenCase> =>
  parseCase(id, await contents(folder, `${id}.json`), await contents(folder, `${id}.safetensors`));

const contents = async (folder: string, name: string): Promise<Uint8Array> => {
  try {
    return new Uint8Array(await readFile(join(folder, name)));
  } catch (error) {
    return malformed(`${name} can't be read: ${error instanceof Error ? error.message : String(error)}`);
  }
};
