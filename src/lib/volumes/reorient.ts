import { orientationOf, type AxisCodes } from "../formats/affine.js";
import type { VolumeImage } from "../formats/volume-image.js";
import { onGrid, type Change, type Changed } from "./changed.js";
import { refuse } from "./errors.js";
import { moved, movedAffine, onNewGrid, spaceOf, type Lines, type Triple } from "./grid.js";

const worlds = ["RL", "AP", "SI"];

/**
 * The image with its axes in another order and direction, so that i, j, k point to where `codes` says, nearest: "RAS", "LPS", "LIA".
 * Voxels move, no value changes; so the way back is exact.
 * @throws `volume-orientation` for codes that do not name three axes, `format-affine`
 */
export const reorient = (image: VolumeImage, codes: AxisCodes): Changed => {
  const wanted = [...codes.toUpperCase()].map((letter) => worlds.findIndex((pair) => pair.includes(letter)));
  if (wanted.length !== 3 || [0, 1, 2].some((world) => !wanted.includes(world))) refuse("volume-orientation", `${JSON.stringify(codes)} names no orientation`, 'Give one of R and L, one of A and P, one of S and I, in the order of the axes: "RAS".');
  const { axis, reversed } = orientationOf(image.affine);
  const { space } = spaceOf(image);
  // Index axis n of the result runs along the patient's axis wanted[n].
  const from = wanted.map((world) => axis[world]) as unknown as Triple;
  const turn = wanted.map((world, n) => reversed[world] !== (worlds[world][1] === codes[n].toUpperCase()));
  const lines: Lines = {
    axis: from,
    start: turn.map((back, n) => (back ? space[from[n]] - 1 : 0)) as unknown as Triple,
    step: turn.map((back) => (back ? -1 : 1)) as unknown as Triple,
  };
  const target = from.map((a) => space[a]) as unknown as Triple;
  const changed = onNewGrid(moved(image, target, lines), movedAffine(image.affine, lines));
  const back = inverse(lines, target);
  return { image: changed, restore: (labels) => ({ ...image, data: moved(onGrid(changed, labels), space, back).data }) };
};

/** The lines that undo others. */
const inverse = ({ axis, step }: Lines, target: Triple): Lines => {
  const at = [0, 1, 2].map((a) => axis.indexOf(a)) as unknown as Triple;
  return { axis: at, start: at.map((n) => (step[n] < 0 ? target[n] - 1 : 0)) as unknown as Triple, step: at.map((n) => step[n]) as unknown as Triple };
};

/** {@link reorient} as a change for {@link prepare}. */
export const reoriented = (codes: AxisCodes): Change => (image) => reorient(image, codes);
