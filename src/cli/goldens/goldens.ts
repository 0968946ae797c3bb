import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { Command, CommanderError } from "commander";
import { compile } from "../../compiler/index.js";
import { tensor, type Tensor } from "../../dsl/index.js";
import { caseIds, readCase } from "./files.js";
import { runCase, type CaseResult } from "./run.js";

export interface Output {
  out(line: string): void;
  err(line: string): void;
}

/** The command `goldens DIR [--device D] [--threads N] [--kinds K,K] [--json]`. Gives its exit code: 0 when nothing failed, 1 when a case failed, 2 when it was called wrongly. */
export const goldens = async (args: readonly string[], { out, err }: Output): Promise<number> => {
  const command = commandFor({ out, err });
  try {
    command.parse(args, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    throw error;
  }
  const wrong = (message: string): number => {
    err(message);
    return 2;
  };
  const { device, threads: given, kinds, json = false } = command.opts<{ device: string; threads?: string; kinds?: string; json?: boolean }>();
  const [target] = command.args;
  // npm runs scripts in the root of the package, whatever folder it was called in.
  const folder = [resolve(target), resolve(process.env["INIT_CWD"] ?? ".", target)].find((path) => existsSync(path) && statSync(path).isDirectory());
  if (folder === undefined) return wrong(`there is no folder ${target}`);
  const threads = given === undefined ? undefined : Number(given);
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1)) return wrong(`--threads ${given} is no number of threads`);
  const all = await caseIds(folder);
  if (all.length === 0) return wrong(`the folder ${target} holds no cases: nothing in it ends in .json or .safetensors`);
  const ids = kinds === undefined ? all : await ofKinds(folder, all, new Set(kinds.split(",")));
  if (ids.length === 0) return wrong(`the folder ${target} holds no cases of kind ${kinds}`);
  let ran: string;
  try {
    ran = await deviceThatRuns(device);
  } catch (error) {
    return wrong(error instanceof Error ? error.message : String(error));
  }
  const width = Math.max(...ids.map((id) => id.length));
  if (!json) out(`${ids.length} cases on ${ran}`);
  const cases: CaseResult[] = [];
  for (const id of ids) {
    const result = await runCase(id, () => readCase(folder, id), { device, threads });
    cases.push(result);
    if (!json) out(line(result, width));
  }
  const count = (status: CaseResult["status"]): number => cases.filter((c) => c.status === status).length;
  const [passed, failed, skipped] = [count("passed"), count("failed"), count("skipped")];
  out(json ? JSON.stringify({ device: ran, cases, passed, failed, skipped }, null, 1) : `${passed} passed, ${failed} failed, ${skipped} skipped`);
  return failed > 0 ? 1 : 0;
};

/** The cases whose description says that they are of one of these kinds; one that can't be read stays, to fail. */
const ofKinds = async (folder: string, ids: readonly string[], kinds: ReadonlySet<string>): Promise<readonly string[]> => {
  const kept = await Promise.all(ids.map(async (id) => {
    try {
      return kinds.has((await readCase(folder, id)).kind);
    } catch {
      return true;
    }
  }));
  return ids.filter((_, n) => kept[n]);
};

const commandFor = ({ out, err }: Output): Command =>
  new Command("goldens")
    .description("Runs every golden case of a folder. A case that nothing here can compute is skipped with the reason, and never counts as passed.")
    .argument("<folder>", "cases: <id>.json with <id>.safetensors")
    .option("--device <device>", "where programs run", "auto")
    .option("--threads <number>", "threads of the device wasm; as many as there are cores by default")
    .option("--kinds <kinds>", "only cases of these kinds, for example op,loss: whole networks take minutes on devices that are made for small programs")
    .option("--json", "print { cases, passed, failed, skipped } instead of lines")
    .addHelpText("after", "\nExamples:\n  npm run goldens -- test/goldens\n  npm run goldens -- test/goldens --device reference --json")
    .exitOverride()
    .configureOutput({ writeOut: (text) => out(text.trimEnd()), writeErr: (text) => err(text.trimEnd()) });

/** What `device` turns out to be. @throws device-* when there is no such device here */
const deviceThatRuns = async (device: string): Promise<string> => {
  const probe = await compile(({ x }: { x: Tensor<[i: number]> }) => tensor((i) => x(i)), { x: [1] }, { device });
  probe.dispose();
  return probe.device;
};

const line = ({ id, status, error, tolerance, reason }: CaseResult, width: number): string => {
  const numbers = error === null || tolerance === null ? "" : `  error ${error.toExponential(2)} of ${tolerance.toExponential(2)}`;
  return `${status.padEnd(7)}  ${id.padEnd(width)}${numbers}${reason === "" ? "" : `  (${reason.replaceAll(/\s*\n\s*/g, "; ")})`}`;
};
