import { existsSync, readFileSync } from "node:fs";
import Module, { type LoadFnOutput, type LoadHookContext, type ResolveFnOutput, type ResolveHookContext } from "node:module";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { displayName } from "./display-name.js";
import { IndexicalError } from "./dsl/errors.js";
import { type SourceMap, type TransformResult, transformSource } from "./dsl/transform/index.js";

/**
 * Module hooks of Node: TypeScript and the source transform in one go, and `indexical` for files
 * that have no installation beside them.
 */
export interface HookOptions {
  /** Give every file this installation of `indexical`, also when it could find another one. */
  readonly ownCopy?: boolean;
}

type NextResolve<R> = (specifier: string, context?: Partial<ResolveHookContext>) => R;
type NextLoad<R> = (url: string, context?: Partial<LoadHookContext>) => R;

/** Hooks that run in the thread that imports; Node 22.15 and later. */
interface SyncHooks {
  resolve(specifier: string, context: ResolveHookContext, next: NextResolve<ResolveFnOutput>): ResolveFnOutput;
  load(url: string, context: LoadHookContext, next: NextLoad<LoadFnOutput>): LoadFnOutput;
}

let options: HookOptions = {};

/** Installs the hooks in this process, for every module that is imported from now on. */
export const installHooks = (chosen: HookOptions = {}): void => {
  process.setSourceMapsEnabled(true);
  const { registerHooks } = Module as typeof Module & { registerHooks?: (hooks: SyncHooks) => void };
  if (registerHooks) {
    initialize(chosen);
    registerHooks({ resolve: resolveNow, load: (url, _context, next) => loaded(url) ?? next(url) });
  } else Module.register(import.meta.url, { data: chosen });
};

/** Node calls this in the thread of the hooks, where it has one. */
export const initialize = (chosen: HookOptions): void => {
  options = chosen;
};

const resolveNow = (specifier: string, context: ResolveHookContext, next: NextResolve<ResolveFnOutput>): ResolveFnOutput => {
  if (options.ownCopy && isOwn(specifier)) return next(specifier, fromHere(context));
  try {
    return next(specifier, context);
  } catch (error) {
    const other = isMissing(error) ? alternative(specifier, context) : undefined;
    if (!other) throw error;
    return next(other.specifier, other.context);
  }
};

/** The resolve hook, for a thread of hooks. */
export const resolve = async (
  specifier: string,
  context: ResolveHookContext,
  next: NextResolve<Promise<ResolveFnOutput>>,
): Promise<ResolveFnOutput> => {
  if (options.ownCopy && isOwn(specifier)) return next(specifier, fromHere(context));
  try {
    return await next(specifier, context);
  } catch (error) {
    const other = isMissing(error) ? alternative(specifier, context) : undefined;
    if (!other) throw error;
    return next(other.specifier, other.context);
  }
};

/** The load hook, for a thread of hooks. */
export const load = async (url: string, _context: LoadHookContext, next: NextLoad<Promise<LoadFnOutput>>): Promise<LoadFnOutput> =>
  loaded(url) ?? next(url);

const isOwn = (specifier: string): boolean => /^indexical(\/|$)/.test(specifier);

/** As if this file imported it: a package can always reach its own exports. */
const fromHere = (context: ResolveHookContext): ResolveHookContext => ({ ...context, parentURL: import.meta.url });

const missing = new Set<unknown>(["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND", "ERR_UNSUPPORTED_DIR_IMPORT"]);
const isMissing = (error: unknown): boolean => error instanceof Error && "code" in error && missing.has(error.code);

/** What else a specifier that was not found can mean. */
const alternative = (specifier: string, context: ResolveHookContext): { specifier: string; context: ResolveHookContext } | undefined => {
  if (isOwn(specifier)) return { specifier, context: fromHere(context) };
  if (!/^(\.{0,2}\/|file:)/.test(specifier)) return undefined;
  const url = new URL(specifier, context.parentURL);
  const found = sourcePaths(url.pathname).find((pathname) => existsSync(new URL(pathname, url)));
  return found === undefined ? undefined : { specifier: new URL(found, url).href, context };
};

/** The TypeScript sources that an import of `path` can mean: of its output, or without an extension. */
const sourcePaths = (path: string): string[] => {
  const output = /^(.*)\.([mc]?)js(x?)$/.exec(path);
  if (output) return output[3] ? [`${output[1]}.tsx`] : [`${output[1]}.${output[2]}ts`, ...(output[2] ? [] : [`${output[1]}.tsx`])];
  const folder = path.replace(/\/$/, "");
  const extensions = ["ts", "tsx", "mts", "js", "mjs"];
  return [...extensions.map((extension) => `${folder}.${extension}`), ...extensions.map((extension) => `${folder}/index.${extension}`)];
};

const here = new URL("./", import.meta.url).href;
const typed = new Set([".ts", ".mts", ".tsx", ".jsx"]);
const plain = new Set([".js", ".mjs"]);

/** The module for `url` when it is ours to load, else undefined. Quoted code is written in ES modules only. */
const loaded = (url: string): LoadFnOutput | undefined => {
  if (!url.startsWith("file:") || url.startsWith(here)) return undefined;
  const path = fileURLToPath(url);
  const extension = extname(path);
  const always = typed.has(extension);
  if (!always && (!plain.has(extension) || /[\\/]node_modules[\\/]/.test(path))) return undefined;
  const result = transformed(path, always);
  return result ? { format: "module", source: withMap(result.code, result.map), shortCircuit: true } : undefined;
};

const transformed = (path: string, always: boolean): TransformResult | null => {
  try {
    return transformSource(readFileSync(path, "utf8"), path, { name: displayName(path), always, jsx: "react-jsx" });
  } catch (error) {
    // Where the transform noticed it helps nobody; the stack is the place in the user's file.
    if (error instanceof IndexicalError && error.span)
      error.stack = `${error.name}: ${error.message}\n    at ${path}:${error.span.line}:${error.span.column}`;
    throw error;
  }
};

const withMap = (code: string, map: SourceMap): string =>
  `${code}//# sourceMappingURL=data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString("base64")}\n`;
