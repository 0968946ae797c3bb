import { readDicomSlice, type DicomSlice } from "../formats/dicom.js";
import type { Affine } from "../formats/affine.js";
import type { Limits } from "../formats/inflate.js";
import { refuse } from "../formats/ndarray.js";
import { volumeImage, type VolumeImage, type VoxelArray } from "../formats/volume-image.js";

type Vector3 = readonly [number, number, number];

/** A volume made of the slices of a DICOM series. Values are rescaled (of a CT: Hounsfield units). */
export interface DicomVolume extends VolumeImage {
  readonly series: string;
  readonly description: string;
  readonly modality: string;
  /** Of a slice, in mm, as the files state it; the distance of neighbours where they don't. It may be more than the spacing: slices overlap. */
  readonly thickness: number;
  /**
   * Angle between the slices' normal and the line through their corners, in degrees: of a CT with a tilted gantry. The affine has it as a shear;
   * what assumes axes at right angles (resampling by spacing does) works on slices that are shifted against each other.
   */
  readonly tilt: number;
}

export interface DicomOptions extends Limits {
  /** SeriesInstanceUID of the series that is wanted, or the beginning of its description; needed where there are several. */
  readonly series?: string;
}

/** Distances that differ by less are equal: positions are written with few digits. In mm, or as a part of the spacing. */
const TOLERANCE = 0.01;

const dot = (a: Vector3, b: Vector3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a: Vector3, b: Vector3): Vector3 => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const minus = (a: Vector3, b: Vector3): Vector3 => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];

const show = (v: readonly number[]): string => `[${v.map((x) => Number(x.toPrecision(6))).join(", ")}]`;

/**
 * The volumes in a number of DICOM files, in any order: one for each series, and within a series for each size, direction and pixel spacing (a scout lies
 * across the others), and for each acquisition where slices would lie in one place. Slices are sorted by their place along the normal.
 * @throws `format-dicom-series` for slices that make no volume: two in one place, or one missing between others; what `readDicomSlice` throws
 */
export const readDicomVolumes = (files: readonly Uint8Array[], limits: Limits = {}): DicomVolume[] => {
  if (files.length === 0) refuse("format-dicom-series", "no DICOM files were given");
  const groups = new Map<string, DicomSlice[]>();
  for (const slice of files.map((bytes) => readDicomSlice(bytes, limits))) {
    const key = [slice.series, slice.rows, slice.columns, ...[...slice.directions.flat(), ...slice.pixelSpacing].map((v) => v.toFixed(3))].join(" ");
    groups.set(key, [...(groups.get(key) ?? []), slice]);
  }
  return [...groups.values()].flatMap(byAcquisition).map(assembled);
};

/**
 * The one volume in these files, or that of the series that is asked for.
 * @throws `format-dicom-series` also when there are several, naming them, or none of that name
 */
export const readDicom = (files: readonly Uint8Array[], { series, ...limits }: DicomOptions = {}): DicomVolume => {
  const all = readDicomVolumes(files, limits);
  const fitting = series === undefined ? all : all.filter((volume) => volume.series === series || volume.description.startsWith(series));
  if (fitting.length === 1) return fitting[0];
  const names = all.map((v) => `${v.description || "(no description)"} [${v.shape.join(" x ")}] ${v.series}`);
  return refuse("format-dicom-series", fitting.length === 0 ? `no volume of series ${series} in ${files.length} files` : `${files.length} files hold ${fitting.length} volumes`, `Choose by { series }, or use readDicomVolumes. They are: ${names.slice(0, 20).join("; ")}.`);
};

const normalOf = ({ directions: [a, b] }: DicomSlice): Vector3 => cross(a, b);

const placesOf = (slices: readonly DicomSlice[]): number[] => slices.map((slice) => dot(slice.position, normalOf(slices[0])));

/** Slices of several acquisitions in the same places are volumes of their own. */
const byAcquisition = (slices: readonly DicomSlice[]): (readonly DicomSlice[])[] => {
  const sorted = placesOf(slices).sort((a, b) => a - b);
  if (!sorted.some((place, n) => n > 0 && place - sorted[n - 1] < TOLERANCE)) return [slices];
  const groups = [...groupBy(slices).values()];
  return groups.length > 1 ? groups : [slices];
};

const groupBy = (slices: readonly DicomSlice[]): Map<number | undefined, DicomSlice[]> => {
  const groups = new Map<number | undefined, DicomSlice[]>();
  for (const slice of slices) groups.set(slice.acquisition, [...(groups.get(slice.acquisition) ?? []), slice]);
  return groups;
};

const assembled = (unsorted: readonly DicomSlice[]): DicomVolume => {
  const [any] = unsorted;
  const normal = normalOf(any);
  const slices = [...unsorted].sort((a, b) => dot(a.position, normal) - dot(b.position, normal));
  const [first] = slices;
  const name = `series ${any.description || any.series || "without a name"}`;
  const step = stepOf(slices, normal, name);
  const [right, down] = any.directions;
  const [di, dj] = any.pixelSpacing;
  // DICOM counts to Left and Posterior, the affine to Right and Anterior.
  const row = (axis: 0 | 1 | 2, sign: 1 | -1): Affine[number] => [right[axis] * di, down[axis] * dj, step[axis], first.position[axis]].map((v) => sign * v || 0) as unknown as Affine[number];
  const affine: Affine = [row(0, -1), row(1, -1), row(2, 1)];
  const length = Math.hypot(...step);
  const cosine = Math.min(Math.abs(dot(step, normal)) / length, 1);
  return {
    ...volumeImage({ data: voxelsOf(slices), shape: [any.columns, any.rows, slices.length], affine }),
    series: any.series,
    description: any.description,
    modality: any.modality,
    thickness: first.thickness ?? Math.abs(dot(step, normal)),
    tilt: (Math.acos(cosine) * 180) / Math.PI < TOLERANCE ? 0 : (Math.acos(cosine) * 180) / Math.PI,
  };
};

/** From one slice to the next; all are as far apart. */
const stepOf = (slices: readonly DicomSlice[], normal: Vector3, name: string): Vector3 => {
  const [first] = slices;
  if (slices.length === 1) {
    const apart = [first.spacingBetween, first.thickness].find((mm) => mm !== undefined && mm > 0) ?? 1;
    return normal.map((v) => v * apart) as unknown as Vector3;
  }
  const whole = minus(slices.at(-1)!.position, first.position);
  const step = whole.map((v) => v / (slices.length - 1)) as unknown as Vector3;
  const apart = slices.slice(1).map((slice, n) => dot(minus(slice.position, slices[n].position), normal));
  const usual = [...apart].sort((a, b) => a - b)[Math.floor(apart.length / 2)];
  const least = Math.max(TOLERANCE, TOLERANCE * usual);
  apart.forEach((distance, n) => {
    const at = `between slices ${n + 1} and ${n + 2} of ${slices.length}, at ${show(slices[n].position)} and ${show(slices[n + 1].position)}`;
    if (distance < TOLERANCE) refuse("format-dicom-series", `${name} has two slices in one place: ${at}`, "Give one time point, or one echo, of one acquisition.");
    if (Math.abs(distance - usual) > least) refuse("format-dicom-series", `${name} is uneven: ${at} there are ${distance.toFixed(3)} mm, elsewhere ${usual.toFixed(3)} mm`, distance > usual ? "A slice is missing: fetch the series again, or give a part without the gap." : "Give slices that are equally far apart.");
  });
  // Evenly along the normal, and along the shear of a tilted gantry as well.
  slices.forEach((slice, n) => {
    const off = Math.hypot(...minus(slice.position, first.position).map((v, axis) => v - n * step[axis]));
    if (off > Math.max(0.1, 0.1 * usual)) refuse("format-dicom-series", `slice ${n + 1} of ${slices.length} of ${name} lies ${off.toFixed(3)} mm beside the line of the others, at ${show(slice.position)}`, "Its slices are no stack: give those that are.");
  });
  return step;
};

/** `stored * slope + intercept`, in the smallest type that holds all: int16 or int32 for whole numbers, float32 else. */
const voxelsOf = (slices: readonly DicomSlice[]): VoxelArray => {
  const { rows, columns } = slices[0];
  const size = rows * columns;
  const whole = slices.every(({ slope, intercept, pixels }) => Number.isInteger(slope) && Number.isInteger(intercept) && !(pixels instanceof Float32Array));
  let [low, high] = [Infinity, -Infinity];
  for (const { pixels, slope, intercept } of slices) {
    for (let n = 0; n < size; n++) {
      const value = pixels[n] * slope + intercept;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  const count = size * slices.length;
  const data = !whole ? new Float32Array(count) : low >= -32768 && high <= 32767 ? new Int16Array(count) : low >= -(2 ** 31) && high < 2 ** 31 ? new Int32Array(count) : new Float64Array(count);
  slices.forEach(({ pixels, slope, intercept }, k) => {
    for (let n = 0; n < size; n++) data[k * size + n] = pixels[n] * slope + intercept;
  });
  return data;
};
