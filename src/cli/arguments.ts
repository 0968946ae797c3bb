import type { Shapes } from "../compiler/index.js";
import { misused } from "./usage.js";

/** Splits `NAME=VALUE`. A path may hold a `=` of its own, a name may not. */
const named = (option: string, text: string): readonly [name: string, value: string] => {
  const at = text.indexOf("=");
  if (at < 1) misused("cli-argument", `${option} ${text} does not say which input it is for`, `Write ${option} x=${text.replace(/^=/, "")}.`);
  return [text.slice(0, at), text.slice(at + 1)];
};

/** Extents as `1,3,32,32,32`; nothing, or `[]`, for rank 0. */
const extents = (option: string, text: string): readonly number[] => {
  const bare = text.replace(/^\[(.*)\]$/s, "$1").trim();
  if (bare === "") return [];
  return bare.split(/[,x]/).map((part) => {
    const extent = part.trim() === "" ? Number.NaN : Number(part);
    if (!Number.isSafeInteger(extent) || extent < 0) misused("cli-argument", `${option}: ${JSON.stringify(part)} in ${text} is not an extent`, "Extents are non-negative integers: --shape x=1,3,32,32,32.");
    return extent;
  });
};

/** `--shape x=1,3,32,32,32 --shape w=64,3,3,3`. @throws cli-argument */
export const parseShapes = (given: readonly string[] = []): Shapes => {
  const shapes: Record<string, readonly number[]> = {};
  for (const text of given) {
    const [name, value] = named("--shape", text);
    if (Object.hasOwn(shapes, name)) misused("cli-argument", `the shape of ${name} is given twice: [${shapes[name]!.join(", ")}] and ${value}`);
    shapes[name] = extents("--shape", value);
  }
  return shapes;
};

/** One `--input`: `NAME=FILE`, `NAME=FILE#ARRAY`, or `FILE` for a file that holds several inputs by name. */
export interface InputFile {
  readonly name: string | undefined;
  readonly file: string;
}

/** A drive letter, a folder or a dot before the first `=` says that the text is a path and no name, but for the `g.<output>` of gradients. */
export const parseInputs = (given: readonly string[] = []): readonly InputFile[] =>
  given.map((text) => {
    const match = /^((?:g\.)?[^=/\\.:]+)=(.+)$/s.exec(text);
    return match ? { name: match[1]!, file: match[2]! } : { name: undefined, file: text };
  });
