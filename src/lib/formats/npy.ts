import { decodeElements, encodeElements } from "./elements.js";
import { elementCount, emptyRecord, permute, refuse, type Arrays, type DType, type NdArray } from "./ndarray.js";
import { DEFAULT_MAX_BYTES, type Limits } from "./inflate.js";
import { readZipEntry, writeZip, zipEntries } from "./zip.js";

const HEADER_LIMIT = 2 ** 20;
const RANK_LIMIT = 64; // NumPy's

const dtypes: Record<string, DType> = {
  b1: "bool", i1: "int8", u1: "uint8", i2: "int16", u2: "uint16", i4: "int32", u4: "uint32",
  i8: "int64", u8: "uint64", f2: "float16", f4: "float32", f8: "float64",
};
const codes = new Map(Object.entries(dtypes).map(([code, dtype]) => [dtype, code]));

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY

/** Whether these bytes start like a .npy file. */
export const isNpy = (bytes: Uint8Array): boolean => magic.every((byte, at) => bytes[at] === byte);

/**
 * Reads a .npy file, versions 1 to 3, any byte order; Fortran order becomes row-major. Data may share memory with `bytes`.
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 * @throws `format-npy`, `format-dtype` for anything but numbers and booleans, `format-truncated`
 */
export const readNpy = (bytes: Uint8Array): NdArray => {
  if (!isNpy(bytes)) refuse("format-npy", "not a .npy file: it does not start with \\x93NUMPY");
  const version = bytes[6];
  if (![1, 2, 3].includes(version)) refuse("format-npy", `version ${version} of the .npy format is not known`);
  const start = version === 1 ? 10 : 12;
  if (bytes.length < start) refuse("format-truncated", `a .npy file of ${bytes.length} bytes has no header`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > Math.min(HEADER_LIMIT, bytes.length - start)) refuse("format-truncated", `the .npy header claims ${length} bytes; ${bytes.length - start} follow, and the limit is ${HEADER_LIMIT}`);
  const { descr, fortran, shape } = parseHeader(new TextDecoder().decode(bytes.subarray(start, start + length)));
  const { dtype, littleEndian } = parseDescr(descr);
  const data = bytes.subarray(start + length);
  const array = decodeElements(data, dtype, fortran ? [...shape].reverse() : shape, littleEndian);
  const size = Number(descr.slice(2)) * elementCount(shape);
  if (size < data.length) refuse("format-npy", `${data.length - size} bytes follow the array`, "Save several arrays as .npz.");
  return fortran ? permute(array, shape.map((_, axis) => shape.length - 1 - axis)) : array;
};

/** A .npy file, version 1, little endian, row-major. @throws `format-dtype` for bfloat16 and 8-bit floats, which NumPy has no code for */
export const writeNpy = (array: NdArray): Uint8Array => {
  const { data, shape, dtype } = array;
  const code = codes.get(dtype) ?? refuse("format-dtype", `.npy has no code for ${dtype}`, "Write safetensors, or widen to float32.");
  if (elementCount(shape) !== data.length) refuse("format-shape", `shape [${shape.join(", ")}] does not have ${data.length} elements`);
  const order = code.endsWith("1") ? "|" : "<";
  const dict = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': (${shape.join(", ")}${shape.length === 1 ? "," : ""}), }`;
  const header = Math.ceil((10 + dict.length + 1) / 64) * 64;
  const body = encodeElements(array);
  const out = new Uint8Array(header + body.length).fill(0x20, 10, header);
  out.set([...magic, 1, 0]);
  new DataView(out.buffer).setUint16(8, header - 10, true);
  out.set(new TextEncoder().encode(dict), 10);
  out[header - 1] = 0x0a;
  out.set(body, header);
  return out;
};

/** An opened .npz archive: names are known, arrays are decoded when asked for. */
export interface Npz {
  readonly names: readonly string[];
  read(name: string): NdArray;
}

/**
 * Opens a .npz archive, stored or deflated. Names come without `.npy`.
 * @throws `format-zip`, `format-npz-entry` for a file that is no .npy; `read` throws what `readNpy` does
 */
export const openNpz = (bytes: Uint8Array, limits: Limits = {}): Npz => {
  const entries = new Map(
    zipEntries(bytes).map((entry) => {
      if (!entry.name.endsWith(".npy")) refuse("format-npz-entry", `${entry.name} in the .npz archive is no .npy file`);
      return [entry.name.slice(0, -4), entry] as const;
    }),
  );
  const read = (name: string): NdArray => {
    const entry = entries.get(name) ?? refuse("format-name", `no array ${name} in the archive`, `It has: ${[...entries.keys()].join(", ")}.`);
    return readNpy(readZipEntry(bytes, entry, limits));
  };
  return { names: [...entries.keys()], read };
};

/** Every array of a .npz archive. @throws also `format-too-large` when all of them together pass `maxBytes` */
export const readNpz = (bytes: Uint8Array, limits: Limits = {}): Arrays => {
  const { names, read } = openNpz(bytes, limits);
  const arrays = emptyRecord<NdArray>();
  const { maxBytes = DEFAULT_MAX_BYTES } = limits;
  let total = 0;
  for (const name of names) {
    arrays[name] = read(name);
    total += arrays[name].data.byteLength;
    if (total > maxBytes) refuse("format-too-large", `the arrays up to ${name} take ${total} bytes, more than ${maxBytes}`, "Read them one by one with openNpz, or raise `maxBytes`.");
  }
  return arrays;
};

/** A .npz archive, stored as `np.savez` does, or deflated as `np.savez_compressed`. */
export const writeNpz = (arrays: Readonly<Arrays>, { compress = false } = {}): Uint8Array =>
  writeZip(Object.keys(arrays).map((name) => [`${name}.npy`, writeNpy(arrays[name])] as const), compress);

interface Header {
  readonly descr: string;
  readonly fortran: boolean;
  readonly shape: readonly number[];
}

/** The header is a Python dictionary with exactly three keys; it is matched, never evaluated. */
const parseHeader = (text: string): Header => {
  const dict = /^\s*\{(.*)\}\s*$/s.exec(text)?.[1] ?? refuse("format-npy", "the .npy header is no dictionary");
  const pattern = /\s*(['"])(descr|fortran_order|shape)\1\s*:\s*(?:(['"])([^'"\\]*)\3|(True|False)|\(([\d\s,]*)\)|(\[.*\]))\s*(?:,|$)/gsy;
  const found = new Map<string, string>();
  let end = 0;
  for (let match = pattern.exec(dict); match; match = pattern.exec(dict)) {
    found.set(match[2], match[4] ?? match[5] ?? match[6] ?? match[7]);
    end = pattern.lastIndex;
  }
  const descr = found.get("descr");
  const fortran = found.get("fortran_order");
  const shape = found.get("shape");
  if (descr?.startsWith("[")) refuse("format-dtype", `structured arrays are not read: ${descr.slice(0, 60)}`, "Save each field as an array of its own.");
  if (dict.slice(end).trim() !== "" || found.size !== 3 || descr === undefined || shape === undefined || !["True", "False"].includes(fortran ?? "")) {
    return refuse("format-npy", `the .npy header is not understood: ${dict.slice(0, 120)}`);
  }
  return { descr, fortran: fortran === "True", shape: parseShape(shape) };
};

const parseShape = (text: string): number[] => {
  const parts = text.split(",").map((part) => part.trim());
  if (parts.at(-1) === "") parts.pop();
  if (parts.length > RANK_LIMIT || parts.some((part) => !/^\d{1,16}$/.test(part))) refuse("format-npy", `(${text.slice(0, 60)}) is not a shape`);
  return parts.map(Number);
};

const parseDescr = (descr: string): { dtype: DType; littleEndian: boolean } => {
  const [, order, code] = /^([<>|=])([a-z]\d+)$/.exec(descr) ?? [];
  if (code === undefined || !Object.hasOwn(dtypes, code)) {
    return refuse("format-dtype", `elements of type ${descr.slice(0, 60)} are not read`, "Convert to a type of numbers, such as float32.");
  }
  return { dtype: dtypes[code], littleEndian: order !== ">" };
};
