import { createUnplugin, type FilterPattern, type UnpluginFactory } from "unplugin";
import { displayName } from "./display-name.js";
import { IndexicalError } from "./dsl/errors.js";
import { type IsDslModule, transformSource } from "./dsl/transform/index.js";

export interface PluginOptions {
  /** Files to look at; all TypeScript and JavaScript when absent. */
  readonly include?: FilterPattern;
  /** Files to leave alone; `node_modules` when absent. */
  readonly exclude?: FilterPattern;
  /** Which module specifiers are the language: for a project that re-exports `indexical` under a name of its own. */
  readonly modules?: IsDslModule;
}

const sources = /\.(?:[mc]?ts|tsx|[mc]?js|jsx)(?:\?(?!(?:.*&)?(?:raw|url|inline)\b).*)?$/;
const dependencies = /[\\/]node_modules[\\/]/;

const factory: UnpluginFactory<PluginOptions | undefined> = (options = {}) => ({
  name: "indexical",
  enforce: "pre",
  transform: {
    filter: { id: { include: options.include ?? sources, exclude: options.exclude ?? dependencies } },
    handler(code, id) {
      const file = id.replace(/[?#].*$/, "");
      try {
        return transformSource(code, file, {
          name: displayName(file),
          ...(options.modules ? { modules: options.modules } : {}),
        });
      } catch (error) {
        if (!(error instanceof IndexicalError) || !error.span) throw error;
        const { line, column } = error.span;
        // Bundlers count columns from 0.
        this.error({ id: file, code: error.code, message: error.message, loc: { file, line, column: column - 1 } });
        return null;
      }
    },
  },
});

const plugin = createUnplugin(factory);

/** The source transform as a plugin of every bundler that unplugin knows. */
export default plugin;
/** For `plugins` of a Vite or Vitest configuration. */
export const vite = plugin.vite;
/** For `plugins` of a Rollup configuration. */
export const rollup = plugin.rollup;
/** For `plugins` of a Rolldown configuration. */
export const rolldown = plugin.rolldown;
/** For `plugins` of an esbuild build. */
export const esbuild = plugin.esbuild;
/** For `plugins` of a webpack configuration. */
export const webpack = plugin.webpack;
