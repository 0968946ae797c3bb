import ts from "typescript";
import { IndexicalError } from "../errors.js";
import { readBindings } from "./bindings.js";
import { type IsDslModule, isDslModule, mayImportDsl } from "./modules.js";
import { quoteFile } from "./file.js";
import { Source } from "./source.js";

export { type IsDslModule, isDslModule } from "./modules.js";

export interface TransformOptions {
  /** Which module specifiers are the language; `isDslModule` when absent. */
  readonly modules?: IsDslModule;
  /** The file name that messages show; the file name itself when absent. */
  readonly name?: string;
  /** Emit JavaScript even when the file has no quoted code (a loader wants that for TypeScript). */
  readonly always?: boolean;
  /** What becomes of JSX: kept for a later tool (the default), or turned into calls of `react/jsx-runtime`. */
  readonly jsx?: "preserve" | "react-jsx";
}

/** A source map, version 3, whose only source is the original file. */
export interface SourceMap {
  readonly version: 3;
  readonly file: string;
  readonly sources: string[];
  readonly sourcesContent: string[];
  readonly names: string[];
  readonly mappings: string;
}

export interface TransformResult {
  /** An ES module in JavaScript: types are gone, quoted code is lifted. */
  readonly code: string;
  readonly map: SourceMap;
}

/**
 * Lifts the quoted code of one source file (.ts .mts .tsx .js .mjs .jsx).
 * Returns null when there is nothing to lift: the file stands as it is.
 * @throws IndexicalError `quote-...` for what cannot be lifted, `syntax` when the file does not parse.
 */
export const transformSource = (code: string, fileName: string, options: TransformOptions = {}): TransformResult | null => {
  const { modules = isDslModule, name = fileName, always = false, jsx = "preserve" } = options;
  const candidate = mayImportDsl(code, fileName, modules);
  if (!candidate && !always) return null;

  let quoted = false;
  let refusal: unknown;
  const quote: ts.TransformerFactory<ts.SourceFile> = (context) => (file) => {
    const bindings = readBindings(file, modules);
    if (!bindings) return file;
    try {
      const result = quoteFile(file, context, bindings, new Source(file, name));
      quoted = result !== file;
      return result;
    } catch (error) {
      refusal = error;
      return file;
    }
  };
  const { outputText, sourceMapText, diagnostics } = ts.transpileModule(code, {
    fileName,
    reportDiagnostics: true,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      jsx: jsx === "preserve" ? ts.JsxEmit.Preserve : ts.JsxEmit.ReactJSX,
      sourceMap: true,
      inlineSources: true,
      newLine: ts.NewLineKind.LineFeed,
    },
    ...(candidate ? { transformers: { before: [quote] } } : {}),
  });
  // A broken tree can look like code that cannot be lifted: the syntax is the better reason.
  for (const diagnostic of diagnostics ?? []) checkSyntax(diagnostic, name);
  if (refusal !== undefined) throw refusal;
  if (!quoted && !always) return null;
  return {
    code: outputText.replace(/\/\/# sourceMappingURL=[^\n]*\n?$/, ""),
    map: JSON.parse(sourceMapText ?? "null") as SourceMap,
  };
};

const checkSyntax = ({ category, file, start, messageText }: ts.Diagnostic, name: string): void => {
  if (category !== ts.DiagnosticCategory.Error || !file || start === undefined) return;
  const message = ts.flattenDiagnosticMessageText(messageText, " ").replace(/\.$/, "");
  throw new IndexicalError("syntax", message, { span: new Source(file, name).spanOf(start) });
};
