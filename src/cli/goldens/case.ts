import { readSafetensors, type Arrays, type NdArray } from "../../lib/formats/index.js";
import { recipeTensor } from "../../lib/weights/recipe.js";
import { Fields, isRecord, malformed } from "./fields.js";

export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

/** One golden case: what was computed, by which code, from what. The names are those of the vocabulary of the goldens. */
export interface GoldenCase {
  readonly id: string;
  readonly system: string;
  readonly kind: string;
  readonly op: string;
  readonly mode: "eval" | "train";
  /** The constructor arguments of the original. */
  readonly ctor: Fields;
  /** The whole description, for what some kinds keep at its top level. */
  readonly description: Fields;
  readonly arrays: Readonly<Arrays>;
  /** For float32 on a GPU, and for float32 on a CPU. */
  readonly tolerance: { readonly gpu: Tolerance; readonly cpu: Tolerance };
}

/** A case from the bytes of its `<id>.json` and `<id>.safetensors`. @throws golden-malformed, or what reading tensors throws */
export const parseCase = (id: string, json: Uint8Array, tensors: Uint8Array): GoldenCase => {
  const description = parse(json, id);
  const arrays = readSafetensors(tensors);
  const fields = new Fields(description, `${id}.json`);
  const mode = fields.string("mode", "eval");
  const tolerance = fields.fields("tolerance");
  const gpu = readTolerance(tolerance);
  return {
    id,
    system: fields.string("system"),
    kind: fields.string("kind"),
    op: fields.string("op"),
    mode: mode === "eval" || mode === "train" ? mode : malformed(`mode of ${id}.json should be eval or train, and is ${mode}`),
    ctor: fields.has("ctor") ? fields.fields("ctor") : new Fields({}, "ctor"),
    description: fields,
    arrays,
    tolerance: { gpu, cpu: tolerance.has("strict") ? readTolerance(tolerance.fields("strict")) : gpu },
  };
};

const parse = (bytes: Uint8Array, id: string): Readonly<Record<string, unknown>> => {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (isRecord(value)) return value;
  } catch (error) {
    return malformed(`${id}.json is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  return malformed(`${id}.json does not hold an object`);
};

const readTolerance = (fields: Fields): Tolerance => {
  const [rtol, atol] = [fields.number("rtol"), fields.number("atol")];
  if (!(rtol >= 0 && atol >= 0 && rtol < Infinity && atol < Infinity)) malformed(`the tolerance is no tolerance: rtol ${rtol}, atol ${atol}`);
  return { rtol, atol };
};

/** A tensor of the case. @throws golden-malformed when the file does not hold it */
export const arrayOf = ({ arrays, id }: GoldenCase, name: string): NdArray => arrays[name] ?? malformed(`${id}.safetensors has no tensor ${name}`);

export const inputOf = (golden: GoldenCase, name: string): NdArray => arrayOf(golden, `input.${name}`);

/** The tensors whose names start with `prefix`, by the rest of their names. */
export const withPrefix = (arrays: Readonly<Arrays>, prefix: string): ReadonlyMap<string, NdArray> =>
  new Map(Object.entries(arrays).flatMap(([name, array]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), array] as const] : [])));

/** The parameters by state-dict key: those of the recipe where the case names one, then those stored in the file. */
export const parametersOf = (golden: GoldenCase): ReadonlyMap<string, NdArray> => {
  const parameters = new Map<string, NdArray>();
  const { description } = golden;
  if (description.has("weights") && !description.isText("weights")) {
    const weights = description.fields("weights");
    const recipe = weights.string("recipe");
    if (recipe !== "hashw-v1") malformed(`no weight recipe ${recipe} is known`);
    const seed = weights.number("seed");
    const shapes = weights.fields("state_dict");
    for (const key of shapes.keys()) parameters.set(key, recipeTensor(key, shapes.numbers(key), seed));
  }
  for (const [key, array] of withPrefix(golden.arrays, "param.")) parameters.set(key, array);
  return parameters;
};

/** One of the {@link parametersOf} a case. @throws golden-malformed when there is none of this name */
export const parameterOf = (golden: GoldenCase, name: string): NdArray => parametersOf(golden).get(name) ?? malformed(`${golden.id}.safetensors has no tensor param.${name}`);
