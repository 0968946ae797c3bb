import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { buildDist, root } from "../support/build.js";

/** Builds what the command line runs. */
export const prepare = buildDist;

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `indexical` as it is shipped, in a folder. */
export const indexical = (args: readonly string[], cwd: string): Ended => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "dist/cli/main.js"), ...args], { cwd, encoding: "utf8", timeout: 60_000 });
  return { status, stdout, stderr };
};
