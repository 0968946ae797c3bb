// npm test: the tests that need neither a GPU nor a browser. Further arguments go to vitest:
// `npm test -- test/dsl`, `npm test -- --project webgpu`.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { ensure, root } from "./ensure.mjs";

ensure();
const { buildOrExit } = await import("./build.mjs");
await buildOrExit({ types: false });
const args = process.argv.slice(2);
const project = args.some((argument) => argument.startsWith("--project")) ? [] : ["--project", "unit"];
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const child = spawn(process.execPath, [vitest, "run", ...project, ...args], { cwd: root, stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("close", (status) => process.exit(status ?? 1));
