import { readDicomElements, textOf, type DicomDataSet } from "./dicom-elements.js";
import { itemSize, decodeElements } from "./elements.js";
import type { Limits } from "./inflate.js";
import { refuse, type DType } from "./ndarray.js";
import type { VoxelArray } from "./volume-image.js";

type Vector3 = readonly [number, number, number];

/** One slice of a DICOM series. Places and directions are the patient's, in mm: x to the Left, y to Posterior, z to Superior. */
export interface DicomSlice {
  readonly series: string;
  readonly description: string;
  readonly modality: string;
  readonly instance: number | undefined;
  readonly acquisition: number | undefined;
  readonly rows: number;
  readonly columns: number;
  /** Middle of the first pixel. */
  readonly position: Vector3;
  /** Where the column index grows to, along a row; then where the row index does. */
  readonly directions: readonly [alongRow: Vector3, alongColumn: Vector3];
  /** Between columns, and between rows. */
  readonly pixelSpacing: readonly [number, number];
  readonly thickness: number | undefined;
  /** As the file states it; the positions of neighbours count. */
  readonly spacingBetween: number | undefined;
  /** Of the gantry, in degrees, as the file states it. */
  readonly gantryTilt: number;
  readonly slope: number;
  readonly intercept: number;
  /** Stored values, row by row; slope and intercept are not applied. */
  readonly pixels: VoxelArray;
}

/**
 * Reads one DICOM file of a series: its place in the patient and its pixels, which must not be compressed.
 * Names and other data of the patient are not looked at.
 * @throws `format-dicom` for what is malformed or is no slice, `format-dicom-unsupported` for colour, several frames or odd depths of bits,
 * `format-dicom-compressed`, `format-truncated`, `format-too-large`
 */
export const readDicomSlice = (bytes: Uint8Array, limits: Limits = {}): DicomSlice => {
  const set = readDicomElements(bytes, limits);
  const { elements } = set;
  const numbers = (tag: string, count: number, what: string): number[] | undefined => {
    const text = textOf(elements.get(tag));
    if (text === "") return undefined;
    const values = text.split("\\").map(Number);
    return values.length === count && values.every(Number.isFinite) ? values : refuse("format-dicom", `${what} of the DICOM file is ${JSON.stringify(text.slice(0, 80))}, not ${count} ${count === 1 ? "number" : "numbers"}`);
  };
  const need = <T>(value: T | undefined, what: string): T => value ?? refuse("format-dicom", `the DICOM file has no ${what}: it is no slice of a volume`, "Give the slices of one series; reports, scouts without a place and DICOMDIR are not read.");
  const whole = (tag: string): number | undefined => wholeOf(set, tag);
  const frames = numbers("00280008", 1, "NumberOfFrames")?.[0] ?? 1;
  if (frames !== 1) refuse("format-dicom-unsupported", `the DICOM file has ${frames} frames`, "Enhanced multi-frame files are not read: convert them, for example with dcm2niix.");
  if ((whole("00280002") ?? 1) !== 1) refuse("format-dicom-unsupported", `the DICOM file has ${whole("00280002")} samples a pixel (${textOf(elements.get("00280004"))}): it is in colour`);
  const [rows, columns] = [need(whole("00280010"), "Rows"), need(whole("00280011"), "Columns")];
  if (rows < 1 || columns < 1) refuse("format-dicom", `the DICOM file is of ${rows} x ${columns} pixels`);
  const pixelSpacing = need(numbers("00280030", 2, "PixelSpacing"), "PixelSpacing");
  const directions = need(numbers("00200037", 6, "ImageOrientationPatient"), "ImageOrientationPatient");
  return {
    series: textOf(elements.get("0020000e")),
    description: textOf(elements.get("0008103e")),
    modality: textOf(elements.get("00080060")),
    instance: numbers("00200013", 1, "InstanceNumber")?.[0],
    acquisition: numbers("00200012", 1, "AcquisitionNumber")?.[0],
    rows,
    columns,
    position: need(numbers("00200032", 3, "ImagePositionPatient"), "ImagePositionPatient") as unknown as Vector3,
    directions: [unit(directions.slice(0, 3)), unit(directions.slice(3))],
    pixelSpacing: [positive(pixelSpacing[1], "PixelSpacing"), positive(pixelSpacing[0], "PixelSpacing")],
    thickness: numbers("00180050", 1, "SliceThickness")?.[0],
    spacingBetween: numbers("00180088", 1, "SpacingBetweenSlices")?.[0],
    gantryTilt: numbers("00181120", 1, "GantryDetectorTilt")?.[0] ?? 0,
    slope: numbers("00281053", 1, "RescaleSlope")?.[0] ?? 1,
    intercept: numbers("00281052", 1, "RescaleIntercept")?.[0] ?? 0,
    pixels: pixelsOf(set, rows * columns),
  };
};

const wholeOf = ({ elements, littleEndian }: DicomDataSet, tag: string): number | undefined => {
  const bytes = elements.get(tag)?.bytes;
  if (!bytes || bytes.length === 0) return undefined;
  return bytes.length === 2 ? new DataView(bytes.buffer, bytes.byteOffset, 2).getUint16(0, littleEndian) : refuse("format-dicom", `element ${tag} of the DICOM file has ${bytes.length} bytes, not 2`);
};

const unit = ([x, y, z]: readonly number[]): Vector3 => {
  const length = Math.hypot(x, y, z);
  return length > 0.5 && length < 2 ? [x / length, y / length, z / length] : refuse("format-dicom", `ImageOrientationPatient of the DICOM file has the direction [${x}, ${y}, ${z}], of length ${length}`);
};

const positive = (value: number, what: string): number => (value > 0 ? value : refuse("format-dicom", `${what} of the DICOM file is ${value}`));

/** Stored values; bits above those that are stored are no part of them. */
const pixelsOf = (set: DicomDataSet, count: number): VoxelArray => {
  const allocated = wholeOf(set, "00280100") ?? refuse("format-dicom", "the DICOM file has no BitsAllocated");
  const stored = wholeOf(set, "00280101") ?? allocated;
  const high = wholeOf(set, "00280102") ?? stored - 1;
  const signed = (wholeOf(set, "00280103") ?? 0) === 1;
  if (![8, 16, 32].includes(allocated) || stored < 1 || stored > allocated || high !== stored - 1)
    refuse("format-dicom-unsupported", `the DICOM file has ${stored} bits of ${allocated} a pixel, the highest at ${high}`, "8, 16 and 32 bits are read, with what is stored in the low ones.");
  const dtype = `${signed ? "int" : "uint"}${allocated}` as DType;
  const bytes = set.elements.get("7fe00010")?.bytes ?? refuse("format-dicom", "the DICOM file has no pixels");
  if (bytes.length < count * itemSize[dtype]) refuse("format-truncated", `the DICOM file has ${bytes.length} bytes of pixels; its ${count} of ${allocated} bits take ${count * itemSize[dtype]}`, "The file is incomplete: fetch it again.");
  const data = decodeElements(bytes, dtype, [count], set.littleEndian).data as VoxelArray;
  if (stored === allocated) return data;
  const shift = 32 - stored;
  return data.map((v) => (signed ? (v << shift) >> shift : (v << shift) >>> shift));
};
