import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { isDslModule } from "../../../src/dsl/transform/index.js";
import { esbuild } from "../../../src/plugin.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const here = fileURLToPath(new URL("./", import.meta.url));

export interface Bundle {
  /** By the path from which a page loads it. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** What the bundle imports and does not hold. */
  readonly external: readonly string[];
}

/** The tests' code for a page, minified as for production: `/page.js`, `/worker.js` and `/threads.js`, with gpu.js in a file of its own. */
export const bundle = async (): Promise<Bundle> => {
  const modules = (specifier: string, importer: string): boolean => isDslModule(specifier, importer) || /(^|\/)src\/index\.js$/.test(specifier);
  const { outputFiles, metafile } = await build({
    entryPoints: { page: `${here}page.ts`, worker: `${here}worker.ts`, threads: `${root}src/runtime/wasm/main.ts` },
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    platform: "browser",
    outdir: root,
    write: false,
    metafile: true,
    logLevel: "warning",
    plugins: [esbuild({ modules, exclude: [/[\\/]node_modules[\\/]/, /untransformed\.ts$/] }) as Plugin],
  });
  return {
    files: new Map(outputFiles.map(({ path, contents }) => [`/${relative(root, path)}`, contents])),
    external: Object.values(metafile.outputs).flatMap(({ imports }) => imports.filter((i) => i.external).map((i) => i.path)),
  };
};
