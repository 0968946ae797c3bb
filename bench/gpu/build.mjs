// Writes the GPU benchmark as one bundle that runs offline: out/gpu-bench (a folder) and out/gpu-bench.tar.
//
//   node bench/gpu/build.mjs            builds it
//   node bench/gpu/build.mjs --smoke    builds it, unpacks it elsewhere, and runs it on tiny sizes with whatever adapter there is
//   ... --node FILE                     puts another node for Linux x64 into it than the one that runs this
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, createReadStream, createWriteStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createGzip } from "node:zlib";
import { ensure, root } from "../../scripts/ensure.mjs";

const { values: options } = parseArgs({ options: { smoke: { type: "boolean" }, node: { type: "string" } } });
/** What the whole may take, in bytes. */
const most = 60e6;
const out = join(root, "out/gpu-bench");
const packages = join(out, "packages");

const gzip = (from, to) => pipeline(createReadStream(from), createGzip({ level: 9 }), createWriteStream(to));

/** Script, weights, peers and what surrounds Dawn's binary, as a folder. */
const assemble = async (folder) => {
  const { build } = await import("esbuild");
  const { esbuild: indexical } = await import("../../dist/plugin.js");
  const path = (file) => fileURLToPath(new URL(`../../dist/${file}`, import.meta.url));
  // One copy of everything: what the benchmark takes from the sources is built as well.
  const built = { name: "built", setup: (b) => b.onResolve({ filter: /\/src\/.*\.js$/ }, ({ path: p }) => ({ path: path(p.replace(/^.*\/src\//, "")) })) };
  await build({
    entryPoints: [join(root, "bench/gpu/main.ts")],
    outfile: join(folder, "app/js/main.mjs"),
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    minify: true,
    keepNames: true,
    logLevel: "warning",
    alias: { indexical: path("index.js"), "indexical/lib": path("lib/index.js") },
    external: ["webgpu", "gpu.js"],
    plugins: [built, indexical()],
  });
  cpSync(join(root, "bench/peers/pytorch.py"), join(folder, "app/js/pytorch.py"));
  cpSync(join(root, "data/weights/meshnet"), join(folder, "data/weights/meshnet"), { recursive: true });
  const dawn = join(root, "node_modules/webgpu");
  for (const file of ["index.js", "package.json", "LICENSE.md"]) cpSync(join(dawn, file), join(folder, "app/node_modules/webgpu", file));
  mkdirSync(join(folder, "app/node_modules/webgpu/dist/linux-x64"), { recursive: true });
  const loader = ["/usr/lib/chromium/libvulkan.so.1", "/usr/lib/x86_64-linux-gnu/libvulkan.so.1"].find(existsSync);
  if (loader) cpSync(loader, join(folder, "loader/libvulkan.so.1"), { dereference: true });
};

const write = async () => {
  ensure();
  const { buildOrExit } = await import("../../scripts/build.mjs");
  await buildOrExit({ types: false });
  rmSync(out, { recursive: true, force: true });
  mkdirSync(packages, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), "gpu-bench-"));
  try {
    await assemble(folder);
    execFileSync("tar", ["-czf", join(packages, "app.tar.gz"), "-C", folder, "."]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  await gzip(options.node ?? process.execPath, join(packages, "node.gz"));
  await gzip(join(root, "node_modules/webgpu/dist/linux-x64/dawn.node"), join(packages, "dawn.node.gz"));
  cpSync(join(root, "bench/gpu/run.sh"), join(out, "run.sh"));
  cpSync(join(root, "bench/gpu/README.md"), join(out, "README.md"));
  execFileSync("tar", ["-cf", `${out}.tar`, "-C", join(root, "out"), "gpu-bench"]);
  const { size } = statSync(`${out}.tar`);
  console.log(`out/gpu-bench.tar: ${(size / 1e6).toFixed(1)} MB`);
  if (size > most) throw new Error(`the bundle takes ${size} bytes, more than ${most}`);
};

/** Runs the bundle from its archive, far from this checkout, and looks at what it wrote. */
const smoke = () => {
  const folder = mkdtempSync(join(tmpdir(), "gpu-bench-smoke-"));
  try {
    execFileSync("tar", ["-xf", `${out}.tar`, "-C", folder]);
    const [json, table] = [join(folder, "results.json"), join(folder, "results.md")];
    const { status } = spawnSync("sh", [join(folder, "gpu-bench/run.sh"), "--smoke", "--no-peers", "--json", json, "--table", table], { cwd: folder, stdio: "inherit", env: { ...process.env, NODE_PATH: "" } });
    const { results, failures } = JSON.parse(readFileSync(json, "utf8"));
    if (status !== 0 || results.length < 5 || !results.every((r) => r.agrees) || Object.keys(failures).length > 0) throw new Error(`the bundle ended with ${status}`);
    if (!readFileSync(table, "utf8").includes("| dense-128")) throw new Error("the bundle wrote no table");
    console.log(`${results.length} workloads, all right`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

if (process.platform !== "linux" || process.arch !== "x64") throw new Error("the bundle is for Linux on x64, and is built there");
await write();
if (options.smoke) smoke();
