import { existsSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Metafile } from "esbuild";
import { beforeAll, expect, test } from "vitest";
import { isDslModule } from "../src/dsl/transform/index.js";
import { esbuild } from "../src/plugin.js";
import { buildDist, root } from "./support/build.js";

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  exports: Record<string, string | { types: string; default: string }>;
};

beforeAll(() => {
  buildDist();
});

/** The modules outside the package that are needed as soon as `entry` is imported. */
const needs = async (entry: string): Promise<string[]> => {
  const { metafile } = await build({
    entryPoints: [join(root, entry)],
    bundle: true,
    packages: "external",
    platform: "neutral",
    format: "esm",
    metafile: true,
    write: false,
  });
  const inputs: Metafile["inputs"][string][] = Object.values(metafile.inputs);
  return inputs.flatMap(({ imports }) => imports.filter(({ external, kind }) => external && kind !== "dynamic-import").map(({ path }) => path));
};

const node = (path: string): boolean => path.startsWith("node:") || builtinModules.includes(path);

test.each([
  [".", "dist/index.js"],
  ["./lib", "dist/lib/index.js"],
])("%s runs in a browser: no module of Node, no TypeScript compiler", async (name, file) => {
  expect(manifest.exports[name]).toMatchObject({ default: `./${file}` });
  // The library has its own authors; before it exists there is nothing to check.
  if (name === "./lib" && !existsSync(join(root, "src/lib/index.ts"))) return;
  const modules = await needs(file);
  expect(modules.filter((path) => node(path) || ["typescript", "unplugin", "esbuild"].includes(path))).toEqual([]);
});

test("a built file says where its source is", () => {
  const map = JSON.parse(readFileSync(join(root, "dist/dsl/transform/index.js.map"), "utf8")) as { sources: string[] };
  expect(map.sources).toEqual(["../../../src/dsl/transform/index.ts"]);
});

/** Bundles test/support/program.ts with the sources of the package, and runs it. */
const runBundle = async (name: string, options: { readonly minify: boolean; readonly transform: boolean }): Promise<unknown> => {
  const outfile = join(root, "dist/.build", `${name}.mjs`);
  const modules = (specifier: string, importer: string): boolean => isDslModule(specifier, importer) || specifier === "../../src/index.js";
  await build({
    entryPoints: [join(root, "test/support/program.ts")],
    bundle: true,
    packages: "external",
    format: "esm",
    outfile,
    minify: options.minify,
    plugins: [esbuild({ modules, ...(options.transform ? {} : { exclude: [/support.program\.ts$/] }) })],
  });
  const { main } = (await import(/* @vite-ignore */ `${pathToFileURL(outfile).href}?${Date.now()}`)) as { main: () => Promise<unknown> };
  return main();
};

test("a minified bundle of a program gives the same results as the program itself", async () => {
  const { main } = await import("./support/program.js");
  const expected = await main();
  expect(expected).toMatchObject({ shape: [1, 6, 5, 6] });
  expect(await runBundle("plain", { minify: false, transform: true })).toEqual(expected);
  expect(await runBundle("minified", { minify: true, transform: true })).toEqual(expected);
});

test("a program that was never transformed is refused, and the plugin to add is named", async () => {
  await expect(runBundle("untransformed", { minify: true, transform: false })).rejects.toThrow(/indexical\/plugin/);
});
