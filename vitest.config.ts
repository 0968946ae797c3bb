import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { isDslModule } from "./src/dsl/transform/index.js";
import { vite as indexical } from "./src/plugin.js";

const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** The tests reach the language through `src/index.js` as well as through `src/dsl/index.js`. */
const modules = (specifier: string, importer: string): boolean => isDslModule(specifier, importer) || /(^|\/)src\/index\.(js|ts)$/.test(specifier);

const shared = {
  plugins: [indexical({ modules })],
  resolve: {
    alias: [
      { find: /^indexical\/lib$/, replacement: path("src/lib/index.ts") },
      { find: /^indexical$/, replacement: path("src/index.ts") },
    ],
  },
};

const random = { setupFiles: [path("test/support/setup.ts")] };

/** Tests are grouped by what they need: nothing (unit), a WebGPU adapter, or a real browser. */
export default defineConfig({
  test: {
    projects: [
      {
        ...shared,
        test: { ...random, name: "unit", include: ["test/**/*.test.ts"], exclude: ["test/browser/**", "test/webgpu/**"], testTimeout: 60_000 },
      },
      // One process at a time: the tests share one adapter.
      { ...shared, test: { ...random, name: "webgpu", include: ["test/webgpu/**/*.test.ts"], testTimeout: 240_000, pool: "forks", fileParallelism: false } },
      { ...shared, test: { ...random, name: "browser", include: ["test/browser/**/*.test.ts"], testTimeout: 240_000, fileParallelism: false } },
    ],
  },
});
