import { affineOf, axisCodes, columnLengths, type Affine } from "./affine.js";
import { decodeElements, encodeElements, itemSize } from "./elements.js";
import { gunzip, gzip, isGzip } from "./gzip.js";
import type { Limits } from "./inflate.js";
import { dtypeOf, elementCount, ndarray, permute, refuse, type DType, type NdArray, type TypedArray } from "./ndarray.js";
import { firstVoxel, readNiftiHeader, writeNiftiHeader, type NiftiHeader } from "./nifti-header.js";
import type { VolumeImage, VoxelArray } from "./volume-image.js";

/** A NIfTI image, with its header. */
export interface NiftiImage extends VolumeImage {
  readonly header: NiftiHeader;
}

const types: Record<number, DType> = {
  2: "uint8", 4: "int16", 8: "int32", 16: "float32", 64: "float64", 256: "int8", 512: "uint16", 768: "uint32", 1024: "int64", 1280: "uint64",
};
const codes = new Map(Object.entries(types).map(([code, dtype]) => [dtype, Number(code)]));
const unread: Record<number, string> = { 1: "binary", 32: "complex64", 128: "RGB24", 1536: "float128", 1792: "complex128", 2048: "complex256", 2304: "RGBA32" };

/**
 * Reads a single-file NIfTI-1 or NIfTI-2 image of either byte order, compressed by gzip or not. Data may share memory with `bytes`.
 * Values are scaled where the header says so: to float32 from 8 and 16-bit integers and float32, to float64 from the rest. 64-bit integers become float64.
 * @throws `format-nifti`, `format-dtype`, `format-truncated`, `format-too-large` and what `gunzip` throws
 */
export const readNifti = (bytes: Uint8Array, limits: Limits = {}): NiftiImage => {
  const file = isGzip(bytes) ? gunzip(bytes, limits) : bytes;
  const header = readNiftiHeader(file);
  const { datatype, voxOffset, littleEndian, version } = header;
  const dtype = types[datatype] ?? refuse("format-dtype", `voxels of type ${datatype}${unread[datatype] ? ` (${unread[datatype]})` : ""} are not read`, "Convert the image to a type of real numbers.");
  const shape = shapeOf(header);
  if (!Number.isInteger(voxOffset) || voxOffset < firstVoxel[version] || voxOffset > file.length) {
    refuse("format-nifti", `the voxels are said to start at byte ${voxOffset} of ${file.length}; they can start at ${firstVoxel[version]}`);
  }
  const affine = affineOf(header);
  const stored = decodeElements(file.subarray(voxOffset), dtype, shape, littleEndian);
  const sizes = columnLengths(affine);
  const spacing = sizes.map((size, axis) => {
    const stated = Math.abs(header.pixdim[axis + 1]);
    return stated > 0 && Number.isFinite(stated) ? stated : size;
  });
  const orientation = sizes.every((size) => size > 0) ? axisCodes(affine) : "";
  return { data: trueValues(stored, header), shape, affine, spacing: spacing as [number, number, number], orientation, header };
};

/** What `writeNifti` needs of an image. A `VolumeImage` is one; `{ ...image, data: labels }` is another image in the same place. */
export interface NiftiContent {
  /** In file order: the first index runs fastest. */
  readonly data: TypedArray;
  readonly shape: readonly number[];
  readonly affine?: Affine;
  /** Of the image that this one lies on: sform, qform, voxel sizes, units and description are kept. */
  readonly header?: NiftiHeader;
}

export interface NiftiOptions {
  readonly gzip?: boolean;
  /** 1 for extents up to 32767. */
  readonly version?: 1 | 2;
}

/**
 * A single-file NIfTI image, little endian. With a `header` its geometry is written as it was, bit for bit, unless `affine` says otherwise;
 * without one the affine becomes the sform. Extensions of the source are not kept.
 * @throws `format-nifti` when the shape is not that of `header`, `format-dtype`, `format-shape`
 */
export const writeNifti = (content: NiftiContent, options: NiftiOptions = {}): Uint8Array => {
  const { data, shape } = content;
  const { version = 1 } = options;
  if (elementCount(shape) !== data.length) refuse("format-shape", `shape [${shape.join(", ")}] does not have ${data.length} voxels`);
  if (shape.length < 1 || shape.length > 7) refuse("format-shape", `a NIfTI image has 1 to 7 axes, not ${shape.length}`);
  const dtype = dtypeOf(data);
  const header = writeNiftiHeader({
    ...geometry(content),
    version,
    littleEndian: true,
    dim: [shape.length, ...shape, 1, 1, 1, 1, 1, 1, 1].slice(0, 8),
    datatype: codes.get(dtype) ?? refuse("format-dtype", `NIfTI has no code for ${dtype}`),
    bitpix: itemSize[dtype] * 8,
    voxOffset: firstVoxel[version],
    // The data are true values: the scaling of the source, and its display range, must not be applied to them again.
    sclSlope: 1,
    sclInter: 0,
    calMin: 0,
    calMax: 0,
  });
  const body = encodeElements({ data, shape, dtype });
  const out = new Uint8Array(header.length + body.length);
  out.set(header);
  out.set(body, header.length);
  return options.gzip ? gzip(out) : out;
};

/** The image as a tensor indexed [k][j][i] (a series: [t][k][j][i]). No copy. */
export const toKji = ({ data, shape }: Pick<VolumeImage, "data" | "shape">): NdArray => ndarray(data, [...shape].reverse());

/** The image as a tensor indexed [i][j][k] (a series: [i][j][k][t]). A transposed copy. */
export const toIjk = (image: Pick<VolumeImage, "data" | "shape">): NdArray => permute(toKji(image), reversedAxes(image.shape));

/** File order from a tensor indexed [i][j][k]: what `writeNifti` takes. */
export const fromIjk = (array: NdArray): { data: TypedArray; shape: readonly number[] } => ({ data: permute(array, reversedAxes(array.shape)).data, shape: array.shape });

const reversedAxes = (shape: readonly number[]): number[] => shape.map((_, axis) => shape.length - 1 - axis);

const shapeOf = ({ dim }: NiftiHeader): number[] => {
  const [rank, ...extents] = dim;
  if (!(rank >= 1 && rank <= 7) || !extents.slice(0, rank).every((extent) => Number.isSafeInteger(extent) && extent >= 1)) {
    refuse("format-nifti", `dim [${dim.join(", ")}] is no shape: a rank of 1 to 7, then extents of at least 1`);
  }
  const shape = extents.slice(0, rank);
  while (shape.length > 3 && shape.at(-1) === 1) shape.pop();
  while (shape.length < 3) shape.push(1);
  return shape;
};

const trueValues = ({ data, dtype }: NdArray, { sclSlope: slope, sclInter: inter }: NiftiHeader): VoxelArray => {
  const numbers = data instanceof BigInt64Array || data instanceof BigUint64Array ? exactNumbers(data) : (data as VoxelArray);
  // A slope of 0 means: not scaled. NaN there is what some tools write for the same.
  if (slope === 0 || !Number.isFinite(slope) || (slope === 1 && inter === 0)) return numbers;
  if (!Number.isFinite(inter)) refuse("format-nifti", `scl_inter is ${inter}`, "Set it to 0 if the image is not shifted.");
  const out = itemSize[dtype] <= 2 || dtype === "float32" ? new Float32Array(numbers.length) : new Float64Array(numbers.length);
  for (let n = 0; n < out.length; n++) out[n] = numbers[n] * slope + inter;
  return out;
};

const exactNumbers = (data: BigInt64Array | BigUint64Array): Float64Array =>
  Float64Array.from(data, (value) => {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : refuse("format-dtype", `the voxel value ${value} has no exact double`);
  });

/** All of a header but what depends on the voxels themselves. */
const geometry = ({ shape, affine, header }: NiftiContent): NiftiHeader => {
  if (!header) return { ...blank, ...placed(affine ?? identity) };
  const own = affineOf(header);
  if (affine && affine.some((row, y) => row.some((value, x) => value !== own[y][x]))) return { ...header, ...placed(affine) };
  const expected = shapeOf(header);
  if (expected.slice(0, 3).some((extent, axis) => extent !== (shape[axis] ?? 1))) {
    refuse("format-nifti", `the image has shape [${shape.join(", ")}], the header it is to lie on [${expected.join(", ")}]`, "Give the affine of the new grid, without a header.");
  }
  return header;
};

const identity: Affine = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]];

const placed = (affine: Affine): Pick<NiftiHeader, "srow" | "sformCode" | "qformCode" | "pixdim" | "quatern" | "qoffset"> => ({
  srow: affine.flat(),
  sformCode: 1, // scanner coordinates
  qformCode: 0,
  pixdim: [1, ...columnLengths(affine), 1, 1, 1, 1],
  quatern: [0, 0, 0],
  qoffset: [0, 0, 0],
});

const blank: NiftiHeader = {
  version: 1, littleEndian: true, dimInfo: 0, intentCode: 0, datatype: 0, bitpix: 0, sliceStart: 0, voxOffset: 0, sclSlope: 1, sclInter: 0,
  sliceEnd: 0, sliceCode: 0, xyztUnits: 10, calMax: 0, calMin: 0, sliceDuration: 0, toffset: 0, qformCode: 0, sformCode: 0,
  dim: [], intentP: [0, 0, 0], pixdim: [], quatern: [0, 0, 0], qoffset: [0, 0, 0], srow: [], descrip: "indexical", auxFile: "", intentName: "",
};
