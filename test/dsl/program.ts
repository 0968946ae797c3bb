import * as language from "../../src/dsl/index.js";
import { transformSource } from "../../src/dsl/transform/index.js";

const forms = ["tensor", "sum", "prod", "max", "min", "mean", "argmax", "fn", "uniform", "erf", "sigmoid", "stopGradient"] as const;

/**
 * The value of an expression in source text that may hold quoted code: it goes through the transform, as a file would.
 * Line 1 of the source imports the language; the text is on line 2, from column 5.
 */
export const runText = (text: string, scope: Readonly<Record<string, unknown>> = {}): unknown => {
  const source = `import { ${forms.join(", ")} } from "indexical";\nuse(${text});\n`;
  const code = transformSource(source, "program.js", { always: true })!.code;
  const names = ["$site", "use", ...forms, ...Object.keys(scope)];
  let result: unknown;
  const use = (value: unknown): void => {
    result = value;
  };
  new Function(...names, code.replace(/^import .*$/gm, ""))(language.site, use, ...forms.map((f) => language[f]), ...Object.values(scope));
  return result;
};

/** A tensor of the integers 0, 1, 2, ... in row-major order. */
export const counting = (...shape: number[]): language.AnyTensor =>
  language.constant(Float64Array.from({ length: language.sizeOf(shape) }, (_, i) => i), shape);

/** Every position of a shape, row-major. */
export const positions = (shape: readonly number[]): number[][] =>
  shape.reduce<number[][]>((all, n) => all.flatMap((at) => Array.from({ length: n }, (_, i) => [...at, i])), [[]]);

/** The elements of a tensor, row-major, each evaluated by calling the tensor. */
export const elements = (x: language.AnyTensor): number[] => positions(x.shape).map((at) => (x as unknown as (...at: number[]) => number)(...at));

/** The error that `run` throws, which must be one of the package's. */
export const refusal = (run: () => unknown): language.IndexicalError => {
  try {
    run();
  } catch (error) {
    if (error instanceof language.IndexicalError) return error;
    throw error;
  }
  throw new Error("not refused");
};
