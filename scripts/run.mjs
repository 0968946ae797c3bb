// node scripts/run.mjs FILE ...ARGUMENTS: runs a program of this repository; installs and builds what is missing.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { ensure, root } from "./ensure.mjs";

/** Runs `file` (relative to the root; TypeScript with the loader, a built file as it is), and ends as it ends. */
export const run = async (file, args) => {
  ensure();
  const { buildOrExit } = await import("./build.mjs");
  await buildOrExit({ types: false });
  const loader = file.endsWith(".ts") ? ["--import", "./dist/register.js"] : [];
  const child = spawn(process.execPath, [...loader, file, ...args], { cwd: root, stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
  child.on("close", (status) => process.exit(status ?? 1));
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file, ...args] = process.argv.slice(2);
  if (file === undefined) {
    console.error("usage: node scripts/run.mjs FILE ...ARGUMENTS");
    process.exit(2);
  }
  await run(file, args);
}
