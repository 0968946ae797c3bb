import { columnLengths, orientationOf, type Affine, type Orientation } from "../formats/affine.js";
import { elementCount, refuse, type TypedArray } from "../formats/ndarray.js";
import type { VoxelArray } from "../formats/volume-image.js";
import { bitmap, paste, textWidth, write, type Bitmap, type Colour } from "./bitmap.js";
import { glyphHeight } from "./font.js";

/** `neurological`: the patient's left is on the left of the picture. `radiological`: it is on the right, as if one faced the patient. */
export type Convention = "neurological" | "radiological";
export type ViewName = "axial" | "coronal" | "sagittal";

export interface MontageOptions {
  /** In file order (the first index fastest); of a series the first image is shown. A `VolumeImage` will do. */
  readonly volume: { readonly data: VoxelArray; readonly shape: readonly number[]; readonly affine: Affine };
  /** One label a voxel, in the same order; 0 shows nothing. */
  readonly labels?: TypedArray;
  /** Colour of label 1, 2 and so on; from its end it starts over. */
  readonly palette?: readonly Colour[];
  /** Names of label 1, 2 and so on, written below the slices in their colours. */
  readonly names?: readonly string[];
  /** How much of the label's colour covers the image, 0 to 1. */
  readonly opacity?: number;
  /** Slices of each view, spread over what is labelled, or over the head when nothing is. */
  readonly columns?: number;
  /** One row each. */
  readonly views?: readonly ViewName[];
  /** Values shown as black and as white; the 2nd and 99.5th percentile of what is above the minimum when left out. */
  readonly window?: readonly [number, number];
  readonly convention?: Convention;
}

/** Blue-green, orange, sky blue, yellow, purple, vermilion, blue: told apart also without full colour vision (Okabe and Ito, 2008). */
export const defaultPalette: readonly Colour[] = [[0, 158, 115], [230, 159, 0], [86, 180, 233], [240, 228, 66], [204, 121, 167], [213, 94, 0], [0, 114, 178]];

/** The patient's axes of a view: to the right, upwards, and through. */
const planes: Record<ViewName, readonly [right: number, up: number, through: number]> = { axial: [0, 1, 2], coronal: [0, 2, 1], sagittal: [1, 2, 0] };
const sides = [["L", "R"], ["P", "A"], ["I", "S"]] as const;
const GAP = 4;
const CAPTION = glyphHeight + 4;

/** Voxels left around the head when the black border is cut off. */
const MARGIN = 2;
/** Most pixels along a side of a slice; a finer image is shown smaller. */
const LARGEST = 640;

/**
 * Rows of axial, coronal and sagittal slices with labels over the image. The slices are those of the grid, turned and flipped to how the patient lies
 * by the affine: up is anterior in axial slices and superior in the others, the nose of sagittal slices points right. Pixels are square in mm; the dark border is cut off.
 * Each slice says where it lies (x to the Right, y to Anterior, z to Superior, in mm at its centre) and which sides are left and right; the last line says the convention.
 * @throws `format-shape` when data, labels and shape disagree, `format-affine`
 */
export const montage = (options: MontageOptions): Bitmap => {
  const { volume, labels, columns = 4, views = ["axial", "coronal", "sagittal"], convention = "neurological" } = options;
  const grid = new Grid(volume.shape, volume.affine);
  if (volume.data.length < grid.voxels || (labels && labels.length < grid.voxels)) {
    refuse("format-shape", `shape [${volume.shape.join(", ")}] has ${grid.voxels} voxels, the image ${volume.data.length}, the labels ${labels?.length ?? "none"}`);
  }
  if (!Number.isInteger(columns) || columns < 1) refuse("format-shape", `a montage has at least one column, not ${columns}`);
  const window = options.window ?? percentiles(volume.data);
  const shade = shader({ ...options, window });
  const bright = window[0] + 0.1 * (window[1] - window[0]);
  const isBright = (voxel: number): boolean => volume.data[voxel] > bright;
  const isSeen = labels?.some((label: number | bigint) => label > 0) ? (voxel: number): boolean => labels[voxel] > 0 : isBright;
  const crop = [0, 1, 2].map((axis) => {
    const [low, high] = grid.bounds(axis, isBright);
    return [Math.max(0, low - MARGIN), Math.min(grid.extent[axis] - 1, high + MARGIN)] as const;
  });
  const rows = views.map((view) => {
    const [, , through] = planes[view];
    const [low, high] = grid.bounds(through, isSeen);
    return Array.from({ length: columns }, (_, n) => {
      const at = Math.round(low + ((high - low) * (n + 1)) / (columns + 1));
      return panel(grid, crop, view, at, shade, convention);
    });
  });
  return arrange(rows, options);
};

/** The grid in the patient's axes: 0 left to right, 1 posterior to anterior, 2 inferior to superior. */
class Grid {
  readonly shape: readonly [number, number, number];
  readonly voxels: number;
  private readonly orientation: Orientation;
  /** Voxels, size in mm and step in memory along each of the patient's axes; `start` is the leftmost, rearmost, lowest voxel. */
  readonly extent: readonly number[];
  readonly size: readonly number[];
  readonly step: readonly number[];
  readonly start: number;

  constructor(shape: readonly number[], readonly affine: Affine) {
    this.shape = [shape[0] ?? 1, shape[1] ?? 1, shape[2] ?? 1];
    this.voxels = elementCount(this.shape);
    const strides = [1, this.shape[0], this.shape[0] * this.shape[1]];
    const lengths = columnLengths(affine);
    this.orientation = orientationOf(affine);
    const { axis, reversed } = this.orientation;
    this.extent = axis.map((index) => this.shape[index]);
    this.size = axis.map((index) => lengths[index]);
    this.step = axis.map((index, world) => (reversed[world] ? -strides[index] : strides[index]));
    this.start = axis.reduce((sum, index, world) => sum + (reversed[world] ? (this.shape[index] - 1) * strides[index] : 0), 0);
  }

  /** First and last slice across an axis that hold something seen; all of them when none does. */
  bounds(through: number, seen: (voxel: number) => boolean): readonly [number, number] {
    const [a, b] = [0, 1, 2].filter((axis) => axis !== through);
    const holds = (slice: number): boolean => {
      for (let q = 0; q < this.extent[b]; q++) {
        for (let p = 0; p < this.extent[a]; p++) if (seen(this.start + slice * this.step[through] + p * this.step[a] + q * this.step[b])) return true;
      }
      return false;
    };
    let [low, high] = [0, this.extent[through] - 1];
    while (low < high && !holds(low)) low++;
    while (high > low && !holds(high)) high--;
    return holds(low) ? [low, high] : [0, this.extent[through] - 1];
  }

  /** Place in mm, along a patient's axis, of the centre of a slice. */
  place(through: number, slice: number): number {
    const { axis, reversed } = this.orientation;
    const index = this.shape.map((extent) => (extent - 1) / 2);
    index[axis[through]] = reversed[through] ? this.extent[through] - 1 - slice : slice;
    const [x, y, z, offset] = this.affine[through];
    return x * index[0] + y * index[1] + z * index[2] + offset;
  }
}

/** Colour of a point: the image interpolated from up to four voxels, the label of the nearest. */
type Shader = (voxels: readonly number[], weights: readonly number[], nearest: number) => Colour;

const shader = ({ volume, labels, palette = defaultPalette, opacity = 0.5, window }: MontageOptions & Required<Pick<MontageOptions, "window">>): Shader => {
  const [black, white] = window;
  const scale = 255 / (white - black || 1);
  return (voxels, weights, nearest) => {
    let value = 0;
    for (let n = 0; n < voxels.length; n++) if (weights[n] > 0) value += weights[n] * volume.data[voxels[n]];
    const grey = Math.max(0, Math.min(255, (value - black) * scale));
    const label = labels ? Number(labels[nearest]) : 0;
    if (label <= 0) return [grey, grey, grey];
    const [red, green, blue] = palette[(Math.floor(label) - 1) % palette.length];
    const mix = (colour: number): number => grey + (colour - grey) * opacity;
    return [mix(red), mix(green), mix(blue)];
  };
};

/** 2nd and 99.5th percentile of a sample of the values above the smallest one, which is background nearly always. */
const percentiles = (data: VoxelArray): readonly [number, number] => {
  const step = Math.max(1, Math.floor(data.length / 200_003));
  const sample: number[] = [];
  for (let at = 0; at < data.length; at += step) if (Number.isFinite(data[at])) sample.push(data[at]);
  sample.sort((a, b) => a - b);
  const above = sample.filter((value) => value > sample[0]);
  if (above.length === 0) return [sample[0] ?? 0, (sample[0] ?? 0) + 1];
  const at = (part: number): number => above[Math.min(above.length - 1, Math.floor(part * above.length))];
  return [at(0.02), Math.max(at(0.995), at(0.02) + 1e-9)];
};

interface Panel {
  readonly picture: Bitmap;
  readonly view: ViewName;
  readonly caption: string;
  readonly left: string;
  readonly right: string;
}

/** First and last voxel shown along each of the patient's axes. */
type Crop = readonly (readonly [low: number, high: number])[];

const panel = (grid: Grid, crop: Crop, view: ViewName, slice: number, shade: Shader, convention: Convention): Panel => {
  const [right, up, through] = planes[view];
  const length = (axis: number): number => (crop[axis][1] - crop[axis][0] + 1) * grid.size[axis];
  const pixel = Math.max(Math.min(...grid.size), Math.max(length(0), length(1), length(2)) / LARGEST);
  const [width, height] = [right, up].map((axis) => Math.max(1, Math.round(length(axis) / pixel)));
  const mirrored = right === 0 && convention === "radiological";
  const picture = bitmap(width, height);
  const origin = grid.start + slice * grid.step[through];
  const across = samples(width, crop[right]);
  const along = samples(height, crop[up]);
  for (let row = 0; row < height; row++) {
    const v = along[height - 1 - row];
    for (let column = 0; column < width; column++) {
      const u = across[mirrored ? width - 1 - column : column];
      const voxel = (p: number, q: number): number => origin + p * grid.step[right] + q * grid.step[up];
      const colour = shade(
        [voxel(u.low, v.low), voxel(u.high, v.low), voxel(u.low, v.high), voxel(u.high, v.high)],
        [(1 - u.part) * (1 - v.part), u.part * (1 - v.part), (1 - u.part) * v.part, u.part * v.part],
        voxel(u.nearest, v.nearest),
      );
      picture.data.set(colour, (row * width + column) * 4);
    }
  }
  const [low, high] = sides[right];
  const caption = `${"xyz"[through]} ${Math.round(grid.place(through, slice))}`;
  return { picture, view, caption, left: mirrored ? high : low, right: mirrored ? low : high };
};

/** Where each of `pixels` pixel centres falls among the voxels from `first` to `last`, which cover the same length. */
const samples = (pixels: number, [first, last]: readonly [number, number]): { low: number; high: number; part: number; nearest: number }[] =>
  Array.from({ length: pixels }, (_, pixel) => {
    const at = Math.max(first, Math.min(last, first + ((pixel + 0.5) * (last - first + 1)) / pixels - 0.5));
    const low = Math.floor(at);
    return { low, high: Math.min(last, low + 1), part: at - low, nearest: Math.round(at) };
  });

const arrange = (rows: readonly (readonly Panel[])[], { convention = "neurological", names = [], palette = defaultPalette }: MontageOptions): Bitmap => {
  const cell = Math.max(...rows.flat().map(({ picture }) => picture.width));
  const heights = rows.map((row) => Math.max(...row.map(({ picture }) => picture.height)) + CAPTION);
  const width = (rows[0]?.length ?? 0) * (cell + GAP) + GAP;
  const sheet = bitmap(width, heights.reduce((sum, height) => sum + height + GAP, GAP) + CAPTION);
  let y = GAP;
  rows.forEach((row, n) => {
    row.forEach(({ picture, view, caption, left, right }, column) => {
      const x = GAP + column * (cell + GAP);
      write(sheet, column === 0 ? `${view}  ${caption}` : caption, x, y, [170, 170, 170]);
      const inset = x + Math.floor((cell - picture.width) / 2);
      paste(sheet, picture, inset, y + CAPTION);
      const middle = y + CAPTION + Math.floor(picture.height / 2);
      write(sheet, left, inset + 2, middle, [255, 255, 0]);
      write(sheet, right, inset + picture.width - 2 - textWidth(right), middle, [255, 255, 0]);
    });
    y += heights[n] + GAP;
  });
  const side = convention === "neurological" ? "left" : "right";
  let x = GAP;
  const line = [[`${convention}: the patient's left is on the ${side}`, [170, 170, 170]], ...names.map((name, n) => [name, palette[n % palette.length]] as const)] as const;
  for (const [text, colour] of line) {
    write(sheet, text, x, y, colour);
    x += textWidth(text) + 4 * GAP;
  }
  return sheet;
};
