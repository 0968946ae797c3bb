// Builds dist/: one JavaScript file for each source, so that every entry point shares one instance of the language,
// and the type declarations. Only what changed is built again.
//
//   node scripts/build.mjs            JavaScript and declarations
//   node scripts/build.mjs --no-types JavaScript only
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const src = join(root, "src");
const dist = join(root, "dist");
const work = join(dist, ".build");
const transformFile = join(work, "transform.mjs");
const typesStamp = join(work, "types.stamp");

const filesUnder = (folder) =>
  existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
        const path = join(folder, entry.name);
        return entry.isDirectory() ? filesUnder(path) : [path];
      })
    : [];

const modified = (file) => (existsSync(file) ? statSync(file).mtimeMs : 0);
const newest = (files) => Math.max(0, ...files.map(modified));

/** Replaces a file in one step: another process never reads half of it. */
const write = (file, text) => {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, text);
  renameSync(temporary, file);
};

/** The source transform, bundled from its sources when they changed. */
const loadTransform = async (sources) => {
  const own = join(src, "dsl", "transform");
  const inputs = [...sources.filter((file) => file.startsWith(own)), join(src, "dsl", "errors.ts"), fileURLToPath(import.meta.url)];
  if (modified(transformFile) <= newest(inputs)) {
    const { build: bundle } = await import("esbuild");
    const { outputFiles } = await bundle({
      entryPoints: [join(own, "index.ts")],
      bundle: true,
      packages: "external",
      platform: "node",
      format: "esm",
      write: false,
    });
    write(transformFile, outputFiles[0].text);
  }
  return async () => (await import(`${pathToFileURL(transformFile).href}?${modified(transformFile)}`)).transformSource;
};

const compile = (transformSource, source, target) => {
  const { code, map } = transformSource(readFileSync(source, "utf8"), source, {
    name: relative(root, source).replaceAll("\\", "/"),
    always: true,
  });
  map.sources = [relative(dirname(target), source).replaceAll("\\", "/")];
  write(`${target}.map`, JSON.stringify(map));
  write(target, `${code}//# sourceMappingURL=${basename(target)}.map\n`);
  if (code.startsWith("#!")) chmodSync(target, 0o755);
};

const buildJavaScript = async (sources) => {
  const transform = await loadTransform(sources);
  const targetOf = (source) => join(dist, relative(src, source)).replace(/\.ts$/, ".js");
  const age = modified(transformFile);
  const stale = sources.filter((source) => modified(targetOf(source)) <= Math.max(modified(source), age));
  const failures = [];
  const transformSource = stale.length > 0 ? await transform() : undefined;
  for (const source of stale) {
    try {
      compile(transformSource, source, targetOf(source));
    } catch (error) {
      failures.push(error.message);
    }
  }
  const current = new Set(sources.map(targetOf));
  for (const file of filesUnder(dist)) {
    const target = file.replace(/\.map$/, "").replace(/\.d\.ts$/, ".js");
    if (/\.(js|js\.map|d\.ts)$/.test(file) && !file.startsWith(work) && !current.has(target)) rmSync(file, { force: true });
  }
  return failures;
};

const buildTypes = (sources) => {
  if (modified(typesStamp) > newest([...sources, join(root, "tsconfig.json"), join(root, "tsconfig.build.json")])) return Promise.resolve([]);
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json")], { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.on("error", reject);
    child.on("close", (status) => {
      if (status === 0) write(typesStamp, "");
      resolve(status === 0 ? [] : [output.trimEnd()]);
    });
  });
};

/** Brings dist/ up to date; the messages of what could not be built, empty when all is well. */
export const build = async ({ types = true } = {}) => {
  const sources = filesUnder(src).filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"));
  const [declarations, javaScript] = await Promise.all([types ? buildTypes(sources) : [], buildJavaScript(sources)]);
  return [...javaScript, ...declarations];
};

/** The same for a command line: prints what went wrong and ends the process. */
export const buildOrExit = async (options) => {
  const failures = await build(options);
  if (failures.length === 0) return;
  for (const failure of failures) console.error(failure);
  process.exit(1);
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildOrExit({ types: !process.argv.includes("--no-types") });
