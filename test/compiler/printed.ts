import * as language from "../../src/dsl/index.js";
import { transformSource } from "../../src/dsl/transform/index.js";
import type { ProgramOutput } from "../../src/compiler/trace.js";

/** The function that printed code stands for, by way of the transform, as if it were a file of a user. */
export const compilePrinted = (text: string): ((inputs: never) => ProgramOutput) => {
  const { code } = transformSource(text, "printed.ts", { always: true })!;
  const names = /^import \{([^}]*)\}/m.exec(text)![1]!.split(",").map((n) => n.trim()).filter((n) => n !== "" && !n.startsWith("type "));
  const body = code.replace(/^import .*$/gm, "").replace(/^export const program/m, "const program");
  const values = names.map((n) => (language as unknown as Record<string, unknown>)[n]);
  return new Function("$site", ...names, `${body}\nreturn program;`)(language.site, ...values) as never;
};
