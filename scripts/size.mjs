// What a page loads, in KiB, against scripts/budgets.json: each entry point bundled whole for a browser and minified, the
// same compressed as a server would, and what is loaded when it is needed first (gpu.js). Nothing may be left to resolve:
// no module of Node, no package that a page does not have.
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { buildOrExit } from "./build.mjs";
import { ensure, root } from "./ensure.mjs";

ensure();
await buildOrExit({ types: false });
const budgets = JSON.parse(readFileSync(new URL("budgets.json", import.meta.url), "utf8"));

/** The chunks that `name` needs before it runs, itself included. */
const needed = (outputs, name, found = new Set()) => {
  if (found.has(name)) return found;
  found.add(name);
  for (const { path, kind } of outputs[name].imports) if (kind === "import-statement") needed(outputs, path, found);
  return found;
};

const kib = (bytes) => bytes / 1024;
const total = (chunks) => chunks.reduce((n, { contents }) => n + contents.length, 0);

const measure = async (entry) => {
  const { outputFiles, metafile } = await build({
    stdin: { contents: `export * from "${entry}"; import "${entry}";`, resolveDir: root, sourcefile: "entry.js" },
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    platform: "browser",
    outdir: root,
    absWorkingDir: root,
    write: false,
    metafile: true,
    logLevel: "silent",
    // The sources are reached as a page reaches them, through the exports of the package.
    tsconfigRaw: {},
  });
  const { outputs } = metafile;
  const external = Object.values(outputs).flatMap(({ imports }) => imports.filter((i) => i.external).map((i) => i.path));
  if (external.length > 0) throw new Error(`the bundle of ${entry} still imports ${external.join(", ")}`);
  const main = Object.keys(outputs).find((name) => outputs[name].entryPoint);
  const first = needed(outputs, main);
  const chunks = outputFiles.map(({ path, contents }) => ({ first: first.has(relative(root, path).replaceAll("\\", "/")), contents }));
  const start = chunks.filter((chunk) => chunk.first);
  return {
    minified: kib(total(start)),
    compressed: kib(start.reduce((n, { contents }) => n + gzipSync(contents).length, 0)),
    onDemand: kib(total(chunks.filter((chunk) => !chunk.first))),
  };
};

const said = { minified: "minified", compressed: "compressed", onDemand: "when needed" };
for (const [entry, budget] of Object.entries(budgets)) {
  const size = await measure(entry);
  const parts = Object.keys(said).map((kind) => `${said[kind]} ${size[kind].toFixed(0)} of ${budget[kind]} KiB`);
  console.log(`${entry}: ${parts.join(", ")}`);
  for (const kind of Object.keys(said)) {
    if (size[kind] <= budget[kind]) continue;
    console.error(
      `${entry} is ${(size[kind] - budget[kind]).toFixed(1)} KiB over its budget (${said[kind]}): make it smaller, or say in scripts/budgets.json what it may be`,
    );
    process.exitCode = 1;
  }
}
