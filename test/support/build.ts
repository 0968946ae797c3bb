import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The root of the repository. */
export const root = fileURLToPath(new URL("../../", import.meta.url));

/** Brings the JavaScript of dist/ up to date, for tests of what is shipped. */
export const buildDist = (): void => {
  execFileSync(process.execPath, ["scripts/build.mjs", "--no-types"], { cwd: root, stdio: "inherit" });
};
