import { refuse } from "./ndarray.js";

type Stored = "u8" | "i16" | "i32" | "i64" | "f32" | "f64";
type Place = readonly [type: Stored, offset: number];

/** Where each number lies: in NIfTI-1 (348 bytes), then in NIfTI-2 (540 bytes). Order and names as in nifti1.h and nifti2.h. */
const scalars = {
  dimInfo: [["u8", 39], ["u8", 524]],
  intentCode: [["i16", 68], ["i32", 504]],
  /** Element type: 2 uint8, 4 int16, 16 float32 and so on. */
  datatype: [["i16", 70], ["i16", 12]],
  bitpix: [["i16", 72], ["i16", 14]],
  sliceStart: [["i16", 74], ["i64", 224]],
  /** Where the voxels start in the file. */
  voxOffset: [["f32", 108], ["i64", 168]],
  /** True value = stored * sclSlope + sclInter, unless sclSlope is 0. */
  sclSlope: [["f32", 112], ["f64", 176]],
  sclInter: [["f32", 116], ["f64", 184]],
  sliceEnd: [["i16", 120], ["i64", 232]],
  sliceCode: [["u8", 122], ["i32", 496]],
  /** Low three bits: 1 metre, 2 millimetre, 3 micrometre; next three: 8 second, 16 ms, 24 us. */
  xyztUnits: [["u8", 123], ["i32", 500]],
  calMax: [["f32", 124], ["f64", 192]],
  calMin: [["f32", 128], ["f64", 200]],
  sliceDuration: [["f32", 132], ["f64", 208]],
  toffset: [["f32", 136], ["f64", 216]],
  qformCode: [["i16", 252], ["i32", 344]],
  sformCode: [["i16", 254], ["i32", 348]],
} as const satisfies Record<string, readonly [Place, Place]>;

const vectors = {
  /** Rank, then the extents: `dim[1]` is the first index, which runs fastest in memory. */
  dim: [["i16", 40], ["i64", 16], 8],
  intentP: [["f32", 56], ["f64", 80], 3],
  /** `pixdim[1..3]` are the voxel sizes, `pixdim[0]` the handedness of the qform. */
  pixdim: [["f32", 76], ["f64", 104], 8],
  quatern: [["f32", 256], ["f64", 352], 3],
  qoffset: [["f32", 268], ["f64", 376], 3],
  /** The sform: three rows of four. */
  srow: [["f32", 280], ["f64", 400], 12],
} as const satisfies Record<string, readonly [Place, Place, number]>;

const texts = {
  descrip: [148, 240, 80],
  auxFile: [228, 320, 24],
  intentName: [328, 508, 16],
} as const satisfies Record<string, readonly [number, number, number]>;

/** A NIfTI header of either version, decoded. */
export type NiftiHeader = {
  readonly version: 1 | 2;
  readonly littleEndian: boolean;
} & { readonly [K in keyof typeof scalars]: number } & { readonly [K in keyof typeof vectors]: readonly number[] } & { readonly [K in keyof typeof texts]: string };

/** Bytes of a header; the voxels start at `firstVoxel` at the earliest, after four bytes that announce extensions. */
export const headerSize = { 1: 348, 2: 540 } as const;
export const firstVoxel = { 1: 352, 2: 544 } as const;

const magics = { 1: "n+1\0", 2: "n+2\0\r\n\x1a\n" } as const;
const magicAt = { 1: 344, 2: 4 } as const;

interface Kind {
  readonly version: 1 | 2;
  readonly littleEndian: boolean;
}

const kindOf = (bytes: Uint8Array): Kind | undefined => {
  if (bytes.length < headerSize[1]) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const littleEndian of [true, false]) {
    const size = view.getInt32(0, littleEndian);
    if (size === headerSize[1]) return { version: 1, littleEndian };
    if (size === headerSize[2]) return { version: 2, littleEndian };
  }
  return undefined;
};

const textAt = (bytes: Uint8Array, at: number, length: number): string => {
  let text = "";
  for (const byte of bytes.subarray(at, at + length)) text += String.fromCharCode(byte);
  return text;
};

const hasMagic = (bytes: Uint8Array, version: 1 | 2): boolean => textAt(bytes, magicAt[version], magics[version].length) === magics[version];

/** Whether these bytes start like a single-file NIfTI image (not compressed) of either version and byte order. */
export const isNifti = (bytes: Uint8Array): boolean => {
  const kind = kindOf(bytes);
  return kind !== undefined && hasMagic(bytes, kind.version);
};

/** @throws `format-nifti` for anything that is no single-file NIfTI-1 or NIfTI-2 image, `format-truncated` */
export const readNiftiHeader = (bytes: Uint8Array): NiftiHeader => {
  const kind = kindOf(bytes) ?? refuse("format-nifti", "not a NIfTI file: it does not start with a header length of 348 or 540");
  const { version, littleEndian } = kind;
  if (bytes.length < firstVoxel[version]) refuse("format-truncated", `a NIfTI-${version} file has a header of ${firstVoxel[version]} bytes; this one ends at ${bytes.length}`, "The file is incomplete: fetch it again.");
  if (!hasMagic(bytes, version)) {
    const magic = JSON.stringify(textAt(bytes, magicAt[version], 4));
    refuse("format-nifti", `the header has the magic ${magic}, not "n+${version}": an Analyze file, or a header whose voxels are in a separate .img`, "Convert it to one .nii file.");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const header: Record<string, unknown> = { version, littleEndian };
  for (const [name, places] of Object.entries(scalars)) header[name] = getNumber(view, places[version - 1], 0, littleEndian);
  for (const [name, [one, two, count]] of Object.entries(vectors)) {
    header[name] = Array.from({ length: count }, (_, n) => getNumber(view, version === 1 ? one : two, n, littleEndian));
  }
  for (const [name, [one, two, length]] of Object.entries(texts)) header[name] = textAt(bytes, version === 1 ? one : two, length).replace(/\0[^]*$/, "");
  return header as NiftiHeader;
};

/** The header as bytes, little endian, with the four zero bytes after it that say: no extensions. */
export const writeNiftiHeader = (header: NiftiHeader): Uint8Array => {
  const { version } = header;
  const bytes = new Uint8Array(firstVoxel[version]);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, headerSize[version], true);
  putText(bytes, magicAt[version], magics[version]);
  for (const [name, places] of Object.entries(scalars)) putNumber(view, places[version - 1], 0, header[name as keyof typeof scalars], name);
  for (const [name, [one, two]] of Object.entries(vectors)) {
    header[name as keyof typeof vectors].forEach((value, n) => putNumber(view, version === 1 ? one : two, n, value, name));
  }
  for (const [name, [one, two, length]] of Object.entries(texts)) {
    putText(bytes, version === 1 ? one : two, header[name as keyof typeof texts].slice(0, length - 1));
  }
  return bytes;
};

const putText = (bytes: Uint8Array, at: number, text: string): void => {
  for (let n = 0; n < text.length; n++) bytes[at + n] = text.charCodeAt(n);
};

const widths: Record<Stored, number> = { u8: 1, i16: 2, i32: 4, i64: 8, f32: 4, f64: 8 };

const getNumber = (view: DataView, [type, offset]: Place, n: number, little: boolean): number => {
  const at = offset + n * widths[type];
  switch (type) {
    case "u8": return view.getUint8(at);
    case "i16": return view.getInt16(at, little);
    case "i32": return view.getInt32(at, little);
    case "i64": return Number(view.getBigInt64(at, little));
    case "f32": return view.getFloat32(at, little);
    case "f64": return view.getFloat64(at, little);
  }
};

const integerRange: Partial<Record<Stored, number>> = { u8: 255, i16: 32767, i32: 2 ** 31 - 1, i64: Number.MAX_SAFE_INTEGER };

const putNumber = (view: DataView, [type, offset]: Place, n: number, value: number, name: string): void => {
  const at = offset + n * widths[type];
  const most = integerRange[type];
  if (most !== undefined && !(Number.isInteger(value) && Math.abs(value) <= most)) {
    refuse("format-nifti", `${name} is ${value}; this NIfTI version stores whole numbers up to ${most} there`, "Write version 2.");
  }
  switch (type) {
    case "u8": return view.setUint8(at, value);
    case "i16": return view.setInt16(at, value, true);
    case "i32": return view.setInt32(at, value, true);
    case "i64": return view.setBigInt64(at, BigInt(value), true);
    case "f32": return view.setFloat32(at, value, true);
    case "f64": return view.setFloat64(at, value, true);
  }
};
