import { decodeElements, itemSize } from "./elements.js";
import { DEFAULT_MAX_BYTES, type Limits } from "./inflate.js";
import { elementCount, emptyRecord, ndarray, refuse, type Arrays, type DType, type NdArray, type TypedArray } from "./ndarray.js";
import { readPickle, type Construct } from "./pickle.js";
import { isZip, readZipEntry, zipEntries } from "./zip.js";

/** `torch.XStorage` by name, and the dtype of its elements. */
const storageTypes: Readonly<Record<string, DType>> = {
  DoubleStorage: "float64", FloatStorage: "float32", HalfStorage: "float16", BFloat16Storage: "bfloat16", LongStorage: "int64", IntStorage: "int32",
  ShortStorage: "int16", CharStorage: "int8", ByteStorage: "uint8", BoolStorage: "bool", UntypedStorage: "uint8",
};

/** `torch.x`, the dtypes of newer tensors. */
const torchTypes: Readonly<Record<string, DType>> = {
  float64: "float64", double: "float64", float32: "float32", float: "float32", float16: "float16", half: "float16", bfloat16: "bfloat16",
  int64: "int64", long: "int64", int32: "int32", int: "int32", int16: "int16", short: "int16", int8: "int8", uint8: "uint8", bool: "bool",
  uint16: "uint16", uint32: "uint32", uint64: "uint64", float8_e4m3fn: "float8_e4m3", float8_e5m2: "float8_e5m2",
};

class ElementType {
  constructor(readonly dtype: DType) {}
}

/** A run of elements that tensors share. Its bytes may come after the pickle that speaks of it. */
interface Storage {
  readonly key: string;
  readonly dtype: DType;
  /** First element of it in the stored run, for a view into another storage. */
  readonly first: number;
  readonly length: number;
}

class TorchTensor {
  constructor(readonly storage: Storage, readonly offset: number, readonly shape: readonly number[], readonly strides: readonly number[], readonly dtype: DType) {}
}

const bad = (what: string): never => refuse("format-torch", `the PyTorch file is malformed: ${what}`, "Fetch it again, or save it anew with torch.save(model.state_dict(), file).");

const isNatural = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const naturals = (value: unknown, what: string): number[] => (Array.isArray(value) && value.length <= 64 && value.every(isNatural) ? value : bad(`${what} is no list of natural numbers`));

const rebuild = ([storage, offset, shape, strides]: readonly unknown[], type?: unknown): TorchTensor => {
  if (!isStorage(storage)) return bad("a tensor without a storage");
  const dtype = type === undefined ? storage.dtype : type instanceof ElementType ? type.dtype : bad("a tensor of an unknown type");
  const [extents, steps] = [naturals(shape, "the shape of a tensor"), naturals(strides, "the strides of a tensor")];
  if (extents.length !== steps.length || !isNatural(offset)) bad(`a tensor with ${extents.length} extents, ${steps.length} strides and the offset ${String(offset)}`);
  return new TorchTensor(storage, offset as number, extents, steps, dtype);
};

const isStorage = (value: unknown): value is Storage => typeof value === "object" && value !== null && "key" in value && "first" in value;

const emptyDictionary: Construct = ([items]) => new Map(Array.isArray(items) ? items.filter((pair): pair is [unknown, unknown] => Array.isArray(pair) && pair.length === 2) : []);

/** All that a pickle of PyTorch may name. What is listed without a meaning is passed on as something inert. */
const globals: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["collections.OrderedDict", emptyDictionary],
  ["collections.defaultdict", () => new Map()],
  ["builtins.dict", emptyDictionary],
  ["builtins.set", () => new Set()],
  ["__builtin__.set", () => new Set()],
  ["torch._utils._rebuild_tensor", (args: readonly unknown[]) => rebuild(args)],
  ["torch._utils._rebuild_tensor_v2", (args: readonly unknown[]) => rebuild(args)],
  ["torch._utils._rebuild_tensor_v3", (args: readonly unknown[]) => rebuild(args, args[6])],
  ["torch._utils._rebuild_parameter", ([tensor]: readonly unknown[]) => tensor],
  ["torch._utils._rebuild_parameter_with_state", ([tensor]: readonly unknown[]) => tensor],
  ["torch._tensor._rebuild_from_type_v2", ([, , args]: readonly unknown[]) => (Array.isArray(args) ? rebuild(args) : bad("a tensor without arguments"))],
  ["torch.Size", ([extents]: readonly unknown[]) => extents],
  ["torch.nn.parameter.Parameter", ([tensor]: readonly unknown[]) => tensor],
  ["torch.device", undefined],
  ["torch.serialization._get_layout", undefined],
  ["numpy.core.multiarray.scalar", undefined],
  ["numpy._core.multiarray.scalar", undefined],
  ["numpy.dtype", undefined],
  ["_codecs.encode", undefined],
  ["argparse.Namespace", undefined],
  ...Object.entries(storageTypes).flatMap(([name, dtype]) => [[`torch.${name}`, new ElementType(dtype)], [`torch.storage.${name}`, new ElementType(dtype)]] as [string, unknown][]),
  ...Object.entries(torchTypes).map(([name, dtype]) => [`torch.${name}`, new ElementType(dtype)] as [string, unknown]),
]);

/** The storages that a pickle speaks of: `("storage", type, key, device, length, view)`. */
const storageOf = (id: unknown): Storage => {
  if (!Array.isArray(id) || id[0] !== "storage") return bad("a persistent id that is no storage");
  const [, type, key, , length, view] = id as unknown[];
  if (!(type instanceof ElementType) || typeof key !== "string" || !isNatural(length)) return bad("the id of a storage is not understood");
  if (!Array.isArray(view)) return { key, dtype: type.dtype, first: 0, length };
  const [, first, size] = view as unknown[];
  return isNatural(first) && isNatural(size) ? { key, dtype: type.dtype, first, length: size } : bad("the view of a storage is not understood");
};

/** `PK`, or the pickle of PyTorch's magic number that files of before version 1.6 start with. */
export const isTorch = (bytes: Uint8Array): boolean => isLegacy(bytes) || (isZip(bytes) && /(^|\/)data\.pkl/.test(latin(bytes.subarray(30, 400))));

const latin = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

const MAGIC = 0x1950a86a20f9469cfc6cn;

const isLegacy = (bytes: Uint8Array): boolean => {
  // PROTO n, LONG1 of ten bytes.
  if (!(bytes[0] === 0x80 && bytes[2] === 0x8a && bytes[3] === 10)) return false;
  let value = 0n;
  for (let n = 13; n >= 4; n--) value = (value << 8n) | BigInt(bytes[n] ?? 0);
  return value === MAGIC;
};

/** A file of `torch.save`. */
export interface TorchFile {
  /** Every tensor by the path to it, its keys joined by dots. */
  readonly tensors: Arrays;
  /** The keys of the outermost dictionary: where a checkpoint keeps its state dict. */
  readonly keys: readonly string[];
}

/**
 * Reads a file that PyTorch saved, a zip archive or (before version 1.6) a row of pickles: every tensor in nested dictionaries and lists.
 * Nothing in the file runs; classes other than those of tensors are refused. Strides and offsets are honoured, and tensors that share a storage each get their elements.
 * Sparse and quantised tensors are refused.
 * @see https://github.com/pytorch/pytorch/blob/main/torch/serialization.py
 * @throws `format-torch`, `format-pickle`, `format-pickle-class`, `format-dtype`, `format-zip`, `format-truncated`, `format-too-large`
 */
export const readTorch = (bytes: Uint8Array, limits: Limits = {}): TorchFile => {
  // No file holds tensors much larger than itself: more comes from compression, from strides of 0, or from many tensors on one storage.
  const most = Math.min(limits.maxBytes ?? DEFAULT_MAX_BYTES, 2 ** 16 + 64 * bytes.length);
  const { root, bytesOf, littleEndian } = isZip(bytes) ? openArchive(bytes, most) : openLegacy(bytes);
  const tensors = emptyRecord<NdArray>();
  let total = 0;
  for (const [path, tensor] of walk(root)) {
    total += (elementCount(tensor.shape) + (isContiguous(tensor) ? 0 : tensor.storage.length)) * Math.max(4, itemSize[tensor.dtype]);
    if (!(total <= most)) refuse("format-too-large", `the tensors up to ${path} take ${total} bytes; the file has ${bytes.length}, and the limit is ${most}`, "Save copies of the tensors: tensor.clone().");
    tensors[path] = materialise(path, tensor, bytesOf(tensor.storage), littleEndian);
  }
  return { tensors, keys: root instanceof Map ? [...root.keys()].filter((key) => typeof key === "string") : [] };
};

const DEPTH_LIMIT = 64;
const VISIT_LIMIT = 1_000_000;

/** Tensors by path. Values may be shared and even contain themselves, so both depth and number of visits are bounded. */
const walk = (root: unknown): [path: string, tensor: TorchTensor][] => {
  const found: [string, TorchTensor][] = [];
  let visits = 0;
  const visit = (value: unknown, path: string, depth: number): void => {
    if (++visits > VISIT_LIMIT || depth > DEPTH_LIMIT || path.length > 4096) bad(`more than ${VISIT_LIMIT} values, or values more than ${DEPTH_LIMIT} deep`);
    if (value instanceof TorchTensor) found.push([path || "data", value]);
    else if (value instanceof Map) for (const [key, item] of value) visit(item, join(path, key), depth + 1);
    else if (Array.isArray(value)) value.forEach((item, n) => visit(item, join(path, n), depth + 1));
  };
  visit(root, "", 0);
  return found;
};

const join = (path: string, key: unknown): string => {
  const name = typeof key === "string" || typeof key === "number" ? String(key) : bad("a dictionary with a key that is neither text nor number");
  return path === "" ? name : `${path}.${name}`;
};

const isContiguous = ({ shape, strides }: TorchTensor): boolean => strides.every((stride, axis) => shape[axis] <= 1 || stride === elementCount(shape.slice(axis + 1)));

const materialise = (path: string, tensor: TorchTensor, bytes: Uint8Array, littleEndian: boolean): NdArray => {
  const { shape, strides, offset, dtype, storage } = tensor;
  const size = itemSize[dtype];
  const available = Math.floor(bytes.length / size);
  const count = elementCount(shape);
  const lastElement = count === 0 ? -1 : shape.reduce((at, extent, axis) => at + (extent - 1) * strides[axis], offset);
  if (!(lastElement < available)) bad(`${path} reads element ${lastElement} of storage ${storage.key}, which has ${available}`);
  if (isContiguous(tensor) || count === 0) return decodeElements(bytes.subarray(count === 0 ? 0 : offset * size), dtype, shape, littleEndian);
  const { data: source } = decodeElements(bytes, dtype, [lastElement + 1], littleEndian);
  const data = gather(source, offset, shape, strides, count);
  return ndarray(data, shape, dtype);
};

const gather = (source: TypedArray, offset: number, shape: readonly number[], strides: readonly number[], count: number): TypedArray => {
  const data = new (source.constructor as new (length: number) => TypedArray)(count);
  const index = shape.map(() => 0);
  let from = offset;
  for (let to = 0; to < count; to++) {
    data[to] = source[from];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return data;
};

interface Opened {
  readonly root: unknown;
  readonly bytesOf: (storage: Storage) => Uint8Array;
  readonly littleEndian: boolean;
}

const sized = ({ key, dtype, first, length }: Storage, bytes: Uint8Array): Uint8Array => {
  const size = itemSize[dtype];
  return (first + length) * size <= bytes.length ? bytes.subarray(first * size, (first + length) * size) : bad(`storage ${key} of ${length} ${dtype} from element ${first} has ${bytes.length} bytes`);
};

const openArchive = (bytes: Uint8Array, most: number): Opened => {
  const entries = new Map(zipEntries(bytes).map((entry) => [entry.name, entry]));
  const main = [...entries.keys()].find((name) => /(^|\/)data\.pkl$/.test(name)) ?? bad("the archive has no data.pkl");
  const folder = main.slice(0, -"data.pkl".length);
  let left = most;
  const read = (name: string): Uint8Array => {
    const entry = readZipEntry(bytes, entries.get(folder + name) ?? bad(`the archive has no ${folder}${name}`), { maxBytes: left });
    left -= entry.length;
    return entry;
  };
  const records = new Map<string, Uint8Array>();
  const record = (key: string): Uint8Array => {
    const bytes = records.get(key) ?? read(`data/${key}`);
    records.set(key, bytes);
    return bytes;
  };
  const order = entries.has(`${folder}byteorder`) ? new TextDecoder().decode(read("byteorder")) : "little";
  if (order !== "little" && order !== "big") bad(`the byte order is ${JSON.stringify(order.slice(0, 20))}`);
  return {
    root: readPickle(read("data.pkl"), 0, { globals, persistent: storageOf }).value,
    bytesOf: (storage) => sized(storage, record(storage.key)),
    littleEndian: order === "little",
  };
};

/** Pickles of the magic number, the version, the machine, the object and the list of storages; then each storage: its length in 8 bytes, and its elements. */
const openLegacy = (bytes: Uint8Array): Opened => {
  let at = 0;
  const storages = new Map<string, Storage>();
  const persistent = (id: unknown): Storage => {
    const storage = storageOf(id);
    storages.set(storage.key, storage);
    return storage;
  };
  const next = (): unknown => {
    const { value, end } = readPickle(bytes, at, { globals, persistent });
    at = end;
    return value;
  };
  if (next() !== MAGIC) bad("it does not start with PyTorch's magic number");
  const version = next();
  if (version !== 1001) bad(`its version is ${String(version)}, not 1001`);
  const system = next();
  const littleEndian = !(system instanceof Map) || system.get("little_endian") !== false;
  const root = next();
  const keys = next();
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === "string")) return bad("the list of storages is not one");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const data = new Map<string, Uint8Array>();
  for (const key of keys as string[]) {
    const dtype = storages.get(key)?.dtype ?? bad(`storage ${key.slice(0, 80)} belongs to no tensor`);
    if (at + 8 > bytes.length) refuse("format-truncated", `the file ends before storage ${key}`, "The file is incomplete: fetch it again.");
    const length = view.getBigUint64(at, littleEndian) * BigInt(itemSize[dtype]);
    at += 8;
    if (length > BigInt(bytes.length - at)) refuse("format-truncated", `storage ${key} takes ${length} bytes; the file has ${bytes.length - at} left`, "The file is incomplete: fetch it again.");
    data.set(key, bytes.subarray(at, at + Number(length)));
    at += Number(length);
  }
  return { root, bytesOf: (storage) => sized(storage, data.get(storage.key) ?? bad(`storage ${storage.key} is not in the file`)), littleEndian };
};
