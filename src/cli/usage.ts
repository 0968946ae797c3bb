import { IndexicalError } from "../dsl/index.js";

/** Exit codes of `indexical`. */
export const exit = { done: 0, refused: 1, usage: 2 } as const;

/** A mistake in how a command was called. Codes start with `cli-`; the command exits with 2. */
export const misused = (code: `cli-${string}`, message: string, remedy?: string): never => {
  throw new IndexicalError(code, message, remedy === undefined ? {} : { remedy });
};

/** The same refusal with another remedy: what helps on the command line. */
export const advised = (error: IndexicalError, remedy: string): IndexicalError => {
  const { code, message, span } = error;
  return new IndexicalError(code, message.slice(0, message.indexOf(` [${code}]`)), { remedy, span, cause: error });
};

/** Also said about arguments, by the parts that the commands call. */
const usageCodes = new Set(["program-input", "grad-input", "grad-seed", "input-missing", "input-unknown", "device-unknown", "pass-unknown", "format-file"]);

/** An error with a code and a place. Those of the loader cross a thread on Node 20 and keep only their name and message. */
const isRefusal = (error: Error): boolean => error.name === "IndexicalError";

const codeOf = (error: Error): string => ("code" in error && typeof error.code === "string" ? error.code : "");

/** What to print for an error, and the exit code that it means. Only an error that nobody foresaw shows a stack. */
export const report = (error: unknown): { readonly text: string; readonly code: number } => {
  if (!(error instanceof Error)) return { text: String(error), code: exit.refused };
  if (error.name === "AbortError") return { text: "stopped", code: exit.refused };
  if (!isRefusal(error)) return { text: error.stack ?? error.message, code: exit.refused };
  const code = codeOf(error);
  return { text: error.message, code: code.startsWith("cli-") || usageCodes.has(code) ? exit.usage : exit.refused };
};
