import { IndexicalError } from "../../dsl/errors.js";
import { ndarray, type NdArray } from "../formats/ndarray.js";
import type { Random } from "../random/index.js";
import { rotate } from "../transforms/geometry.js";

/** Side of the grid, and of its cells: each shape lies in a cell of its own. */
const GRID = 48;
const CELL = GRID / 2;
const SMALLEST = 5;
const NOISE = 0.5;

/** Classes of the 2D task, by label. */
export const SHAPES = ["square", "circle", "background"] as const;
/** Classes of the 3D task, by label. */
export const SOLIDS = ["cone", "pyramid", "cube", "cylinder", "ball", "background"] as const;

/** One shape: which cell (bit k: the upper half of axis k), its side, its class, and where it starts inside the cell. */
export interface ShapeDraw {
  readonly cell: number;
  readonly side: number;
  readonly type: number;
  readonly offset: readonly number[];
}

/** A solid also has a height, which cone, pyramid and cylinder use, and quarter turns, which cone and pyramid use. */
export interface SolidDraw extends ShapeDraw {
  readonly height: number;
  readonly turns: readonly [number, number, number];
}

export interface Sample {
  /** Foreground plus noise, float32. */
  readonly image: NdArray;
  /** The class of each voxel, uint8. */
  readonly label: NdArray;
}

/** The squares and circles as labels, [48, 48]. @throws generator-draw when a shape leaves its cell */
export const drawnShapes = (draws: readonly ShapeDraw[]): NdArray => labelsOf(draws, 2, SHAPES, (draw) => flatShape(draw));

/** The solids as labels, [48, 48, 48]. @throws generator-draw when a solid leaves its cell */
export const drawnSolids = (draws: readonly SolidDraw[]): NdArray => labelsOf(draws, 3, SOLIDS, (draw) => solid(draw));

/** One sample of the 2D task of the ACS paper: three of four quadrants hold a square or a circle. */
export const generateShapes = (random: Random): Sample => {
  const cells = random.shuffle([0, 1, 2, 3]).slice(0, 3);
  return sampleOf(
    drawnShapes(
      cells
        .map((cell) => ({ cell, side: side(random), type: random.integer(0, 1), offset: [] as number[] }))
        .map((draw) => placed(draw, [draw.side, draw.side], random)),
    ),
    SHAPES.length - 1,
    random,
  );
};

/** One sample of the 3D task of the ACS paper: four of eight octants hold a cone, pyramid, cube, cylinder or ball. */
export const generateVoxels = (random: Random): Sample => {
  const cells = random.shuffle([0, 1, 2, 3, 4, 5, 6, 7]).slice(0, 4);
  const draws = cells.map((cell): SolidDraw => {
    const turns = [random.integer(0, 3), random.integer(0, 3), random.integer(0, 3)] as const;
    const draw = { cell, side: side(random), height: side(random), turns, type: random.integer(0, 4), offset: [] };
    return placed(draw, solid(draw).shape, random);
  });
  return sampleOf(drawnSolids(draws), SOLIDS.length - 1, random);
};

const side = (random: Random): number => random.integer(SMALLEST, CELL);

const placed = <D extends ShapeDraw>(draw: D, extents: readonly number[], random: Random): D => ({
  ...draw,
  offset: extents.map((n) => random.integer(0, CELL - n)),
});

const sampleOf = (label: NdArray, background: number, random: Random): Sample => ({
  image: ndarray(
    Float32Array.from(label.data as Uint8Array, (l) => (l === background ? 0 : 1) + NOISE * random.normal()),
    label.shape,
  ),
  label,
});

/** A box of 0 and 1 where `inside` says so, at voxel centres. */
const raster = (shape: readonly number[], inside: (...at: number[]) => boolean): NdArray => {
  const box = ndarray(new Uint8Array(shape.reduce((a, b) => a * b, 1)), shape);
  const at = shape.map(() => 0);
  for (let flat = 0; flat < box.data.length; flat++) {
    let rest = flat;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at[axis] = rest % shape[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    box.data[flat] = inside(...at) ? 1 : 0;
  }
  return box;
};

const flatShape = ({ side: a, type }: ShapeDraw): NdArray => {
  const c = (a - 1) / 2;
  return raster([a, a], (x, y) => type === 0 || Math.sqrt((x - c) ** 2 + (y - c) ** 2) <= a / 2);
};

const solid = ({ side: a, height, turns, type }: Omit<SolidDraw, "cell" | "offset">): NdArray => {
  const c = (a - 1) / 2;
  const round = (x: number, y: number): number => Math.sqrt((x - c) ** 2 + (y - c) ** 2);
  /** The radius grows evenly from 0 to half the side. */
  const radius = (z: number): number => (z === height - 1 && height > 1 ? a / 2 : z * (a / 2 / (height - 1)));
  switch (SOLIDS[type]) {
    case "cone":
      return rotate(
        raster([a, a, height], (x, y, z) => round(x, y) <= radius(z)),
        turns,
      );
    case "pyramid":
      return rotate(
        raster([a, a, height], (x, y, z) => Math.max(Math.abs(x - c), Math.abs(y - c)) <= radius(z)),
        turns,
      );
    case "cube":
      return raster([a, a, a], () => true);
    // The axis of a cylinder is always the last one: the original does not turn it.
    case "cylinder":
      return raster([a, a, height], (x, y) => round(x, y) <= a / 2);
    case "ball":
      return raster([a, a, a], (x, y, z) => Math.sqrt((x - c) ** 2 + (y - c) ** 2 + (z - c) ** 2) <= a / 2);
    default:
      throw new IndexicalError("generator-draw", `there is no solid ${type}`);
  }
};

const labelsOf = <D extends ShapeDraw>(draws: readonly D[], rank: number, classes: readonly string[], shapeOf: (draw: D) => NdArray): NdArray => {
  const background = classes.length - 1;
  const shape = Array.from({ length: rank }, () => GRID);
  const label = ndarray(new Uint8Array(GRID ** rank).fill(background), shape);
  for (const draw of draws) {
    if (!Number.isInteger(draw.type) || draw.type < 0 || draw.type >= background)
      throw new IndexicalError("generator-draw", `class ${draw.type} is not one of ${classes.slice(0, -1).join(", ")}`);
    const box = shapeOf(draw);
    const from = shape.map((_, axis) => ((draw.cell >> axis) & 1) * CELL + draw.offset[axis]);
    if (from.some((low, axis) => !(low % CELL >= 0 && (low % CELL) + box.shape[axis] <= CELL)))
      throw new IndexicalError(
        "generator-draw",
        `a ${classes[draw.type]} of extents [${box.shape.join(", ")}] at offset [${draw.offset.join(", ")}] leaves its cell of ${CELL}`,
      );
    for (let flat = 0; flat < box.data.length; flat++) {
      if (box.data[flat] === 0) continue;
      let [rest, to, stride] = [flat, 0, 1];
      for (let axis = rank - 1; axis >= 0; axis--, stride *= GRID) {
        to += (from[axis] + (rest % box.shape[axis])) * stride;
        rest = Math.floor(rest / box.shape[axis]);
      }
      label.data[to] = draw.type;
    }
  }
  return label;
};
