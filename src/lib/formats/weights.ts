import { formatOf, readArrays, refuseUnknown } from "./arrays.js";
import { gunzip, isGzip } from "./gzip.js";
import type { Limits } from "./inflate.js";
import { readLayersWeights } from "./layers-model.js";
import { emptyRecord, refuse, type Arrays, type NdArray } from "./ndarray.js";
import { isOnnx, readOnnx } from "./onnx.js";
import { isTorch, readTorch } from "./torch.js";

/** The formats that hold weights by name. */
export type WeightsFormat = "torch" | "onnx" | "tfjs" | "arrays";

export interface WeightsOptions extends Limits {
  /** Takes `module.`, which `torch.nn.DataParallel` puts before every name, away. Default false. */
  readonly stripModule?: boolean;
  /** The files that a tfjs `model.json` names, by those names. */
  readonly files?: ReadonlyMap<string, Uint8Array>;
}

/** Where training scripts keep the state dict of the model, next to that of the optimizer and the epoch. */
const wrappers = ["state_dict", "model_state_dict", "model", "network", "net", "weights", "params"];

/** The format of these bytes, by what they hold; file names lie: many a .pth is a safetensors file. Gzip must be undone first. */
export const weightsFormatOf = (bytes: Uint8Array): WeightsFormat => (isTorch(bytes) ? "torch" : isJson(bytes) ? "tfjs" : isOnnx(bytes) ? "onnx" : "arrays");

/**
 * Weights by name from a file of any format that this package reads: safetensors, PyTorch (.pth, .pt; zip or legacy), ONNX initializers,
 * a tfjs layers model, .npz and .npy. The format is found from the bytes; gzip is undone.
 * Of a PyTorch checkpoint the state dict is taken where it is kept under `state_dict`, `model_state_dict`, `model` and the like; else names are paths with dots.
 * @throws `format-unknown`, `format-name` when two names become one by `stripModule`, and what the reader of the format throws
 */
export const readWeights = (bytes: Uint8Array, { stripModule = false, files = new Map(), ...limits }: WeightsOptions = {}): Arrays => {
  const file = isGzip(bytes) ? gunzip(bytes, limits) : bytes;
  const arrays = readers[weightsFormatOf(file)](file, files, limits);
  return stripModule ? renamed(arrays, (name) => name.replace(/^module\./, "")) : arrays;
};

const readers: Readonly<Record<WeightsFormat, (bytes: Uint8Array, files: ReadonlyMap<string, Uint8Array>, limits: Limits) => Arrays>> = {
  torch: (bytes, _, limits) => {
    const { tensors, keys } = readTorch(bytes, limits);
    const inside = wrappers.find((key) => keys.includes(key) && Object.keys(tensors).some((name) => name.startsWith(`${key}.`)));
    return inside === undefined ? tensors : under(tensors, `${inside}.`);
  },
  onnx: (bytes) => readOnnx(bytes).graph.initializers,
  tfjs: (bytes, files) => readLayersWeights(bytes, files),
  arrays: (bytes, _, limits) => {
    if (bytes[0] === 0x89 && bytes[1] === 0x48) refuse("format-unknown", "the file is HDF5 (Keras .h5), which is not read", "Save the weights as .npz or safetensors.");
    if (formatOf(bytes) === undefined) refuseUnknown(bytes, "the file of weights", "PyTorch (.pth, .pt), safetensors, ONNX, .npz, .npy and tfjs model.json");
    return readArrays(bytes, "the file of weights", limits);
  },
};

const under = (arrays: Arrays, prefix: string): Arrays => {
  const inner = emptyRecord<NdArray>();
  for (const [name, array] of Object.entries(arrays)) if (name.startsWith(prefix)) inner[name.slice(prefix.length)] = array;
  return inner;
};

const renamed = (arrays: Arrays, rename: (name: string) => string): Arrays => {
  const out = emptyRecord<NdArray>();
  for (const [name, array] of Object.entries(arrays)) {
    const short = rename(name);
    if (short in out) refuse("format-name", `two arrays are called ${short} without the prefix module.`, "Read the file without stripModule.");
    out[short] = array;
  }
  return out;
};

/** Starts with `{`, maybe after white space. */
const isJson = (bytes: Uint8Array): boolean => {
  let at = 0;
  while (at < 64 && [9, 10, 13, 32].includes(bytes[at])) at++;
  return bytes[at] === 0x7b;
};
