import { weightsAlong, type Blend, type Triple } from "./windows.js";

/** Takes the blended scores of one slice: `scores[c * height * width + y * width + x]`, for depth `z`. */
export type SliceSink = (z: number, scores: Float32Array) => void;

/**
 * Weighted means of overlapping windows, held for no more slices than a window is deep: a slice leaves as soon as no later window can reach it.
 * Windows must come in the order of their first slice.
 */
export class Accumulator {
  private readonly sums: Float32Array;
  private readonly weights: Float32Array;
  private readonly slice: Float32Array;
  private readonly along: readonly Float64Array[];
  private first = 0;

  /** Scores of `channels` classes on a grid of `extents`, in windows of `size`. */
  constructor(
    private readonly channels: number,
    private readonly extents: Triple,
    private readonly size: Triple,
    blend: Blend,
    sigma: number,
    private readonly emit: SliceSink,
  ) {
    const [, h, w] = extents;
    this.sums = new Float32Array(channels * size[0] * h * w);
    this.weights = new Float32Array(size[0] * h * w);
    this.slice = new Float32Array(channels * h * w);
    this.along = size.map((n) => weightsAlong(n, blend, sigma));
  }

  /** Adds the scores of a window, [channels, ...size] from `offset`, that starts at `start`; what reaches over the grid is dropped. */
  add(scores: ArrayLike<number>, offset: number, start: Triple): void {
    this.release(start[0]);
    const [depth, height, width] = this.extents;
    const [sd, sh, sw] = this.size;
    const [wd, wh, ww] = this.along as [Float64Array, Float64Array, Float64Array];
    for (let z = 0; z < sd && start[0] + z < depth; z++)
      for (let y = 0; y < sh && start[1] + y < height; y++) {
        const count = Math.min(sw, width - start[2]);
        const row = ((start[0] + z) % sd) * height * width + (start[1] + y) * width + start[2];
        const outer = wd[z]! * wh[y]!;
        for (let x = 0; x < count; x++) this.weights[row + x]! += outer * ww[x]!;
        for (let c = 0; c < this.channels; c++) {
          const to = c * sd * height * width + row;
          const from = offset + ((c * sd + z) * sh + y) * sw;
          for (let x = 0; x < count; x++) this.sums[to + x]! += outer * ww[x]! * scores[from + x]!;
        }
      }
  }

  /** No window is left: all slices leave. */
  end(): void {
    this.release(this.extents[0]);
  }

  /** Slices before `next` are complete. They are held in a ring: slice z lies at z modulo the depth of a window. */
  private release(next: number): void {
    const [depth, height, width] = this.extents;
    const plane = height * width;
    const sd = this.size[0];
    for (; this.first < Math.min(next, depth); this.first++) {
      const at = (this.first % sd) * plane;
      for (let c = 0; c < this.channels; c++) {
        const from = c * sd * plane + at;
        for (let i = 0; i < plane; i++) this.slice[c * plane + i] = this.sums[from + i]! / this.weights[at + i]!;
        this.sums.fill(0, from, from + plane);
      }
      this.weights.fill(0, at, at + plane);
      this.emit(this.first, this.slice);
    }
  }
}
