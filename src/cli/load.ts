import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type ProgramFunction } from "../compiler/index.js";
import { describe, isTensor } from "../dsl/index.js";
import { suggest } from "../dsl/suggest.js";
import { misused } from "./usage.js";

/** A program that was named on the command line. */
export interface Program {
  /** As it was written, with the name of the export. */
  readonly name: string;
  readonly run: ProgramFunction;
}

const extensions = new Set([".ts", ".mts", ".js", ".mjs", ".tsx", ".jsx"]);

let hooked = false;

/** Loads the TypeScript compiler, so it waits until a file is there to be compiled. */
const hook = async (): Promise<void> => {
  if (hooked) return;
  hooked = true;
  const { installHooks } = await import("../hooks.js");
  installHooks({ ownCopy: true });
};

/**
 * The value of `FILE#EXPORT`; without `#EXPORT` the only export that is `wanted`, or else the only function.
 * The file may lie anywhere, and gets this installation of `indexical`.
 * @throws cli-file, cli-export, and what the file throws when it is loaded.
 */
export const loadExport = async (target: string, also: (value: unknown) => boolean = () => false): Promise<{ readonly name: string; readonly path: string; readonly value: unknown; readonly functions: readonly string[] }> => {
  const { path, wanted } = parse(target);
  await hook();
  const exported = (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
  const functions = Object.keys(exported).filter((name) => isProgram(exported[name]) || also(exported[name]));
  const name = wanted ?? (functions.length === 1 ? functions[0]! : chooseOne(target, functions));
  if (!Object.hasOwn(exported, name)) misused("cli-export", `${path} exports no ${name}`, offer(functions) + suggest(name, functions));
  return { name: wanted === undefined ? `${target}#${name}` : target, path, value: exported[name], functions };
};

/** The program of `FILE#EXPORT`. Otherwise as {@link loadExport}. */
export const loadProgram = async (target: string): Promise<Program> => {
  const { name, path, value, functions } = await loadExport(target);
  const short = name.slice(name.lastIndexOf("#") + 1);
  if (!isProgram(value)) return misused("cli-export", `${short} of ${path} is ${isTensor(value) ? "a tensor" : describe(value)}, not a program`, `A program is a function of named tensors. ${offer(functions)}`);
  if (value.length > 1) misused("cli-export", `${short} of ${path} takes ${value.length} arguments; a program takes one record of named tensors`, `Export ({ x, w }) => ${short}(x, w).`);
  return { name, run: value };
};

const isProgram = (value: unknown): value is ProgramFunction => typeof value === "function" && !isTensor(value) && !/^class\b/.test(Function.prototype.toString.call(value));

const offer = (names: readonly string[]): string => (names.length > 0 ? `It exports ${names.join(", ")}.` : "It exports no function.");

const chooseOne = (target: string, names: readonly string[]): never =>
  names.length === 0
    ? misused("cli-export", `${target} exports no program`, "Export a function of named tensors: export const f = ({ x }) => tensor(...).")
    : misused("cli-export", `${target} exports ${names.length} functions`, `Say which: ${target}#${names[0]}. ${offer(names)}`);

const parse = (target: string): { path: string; wanted: string | undefined } => {
  const hash = existsSync(target) ? -1 : target.lastIndexOf("#");
  const file = hash < 0 ? target : target.slice(0, hash);
  const wanted = hash < 0 || hash === target.length - 1 ? undefined : target.slice(hash + 1);
  const path = resolve(file);
  if (!existsSync(path)) misused("cli-file", `there is no file ${file}`, suggest(basename(path), neighbours(path)).trim() || "Write FILE#EXPORT, FILE being TypeScript or JavaScript.");
  if (!statSync(path).isFile()) misused("cli-file", `${file} is a folder`, "Write FILE#EXPORT, FILE being TypeScript or JavaScript.");
  if (!extensions.has(extname(path))) misused("cli-file", `${file} is neither TypeScript nor JavaScript`, `Its name must end in one of ${[...extensions].join(" ")}.`);
  return { path, wanted };
};

const neighbours = (path: string): string[] => {
  const folder = dirname(path);
  return existsSync(folder) ? readdirSync(folder).filter((name) => extensions.has(extname(name))) : [];
};
