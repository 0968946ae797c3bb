/** Decides whether a module specifier names the language; `importer` is the file that imports it. */
export type IsDslModule = (specifier: string, importer: string) => boolean;

const ownIndex = /(^|\/)dsl\/index\.(js|ts)$/;

/**
 * The default test: the bare specifier `indexical`, or a relative path to `dsl/index.js`
 * (how the library inside this package reaches the language).
 */
export const isDslModule: IsDslModule = (specifier, importer) =>
  specifier === "indexical" || (/^\.\.?\//.test(specifier) && ownIndex.test(resolved(specifier, importer)));

/** `specifier` seen from the folder of `importer`, so that `./index.js` inside `dsl/` is recognised too. */
const resolved = (specifier: string, importer: string): string => {
  const path = importer.replaceAll("\\", "/").split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") {
      if (path.length > 0 && path.at(-1) !== "..") path.pop();
      else path.push("..");
    } else if (part !== ".") path.push(part);
  }
  return path.join("/");
};

const staticImport = /\b(?:from|import)\s*(["'])([^"'\n]+)\1/g;

/**
 * A cheap look at the text, before anything is parsed: may this file import the language?
 * It can say yes to a file that does not (a specifier inside a string), never no to one that does.
 */
export const mayImportDsl = (code: string, fileName: string, modules: IsDslModule): boolean => {
  for (const match of code.matchAll(staticImport)) {
    if (modules(match[2], fileName)) return true;
  }
  return false;
};
