import type { Affine, Variable } from "../../dsl/index.js";
import type { Source, Value } from "../ir.js";

/**
 * What back ends emit: kernels over buffers, with no instruction set in mind.
 *
 * A kernel computes one region of one tensor. It is a `map` (a number an element), a `reduce` (loops inside), or a
 * `contract` (a sum of products: index groups M, N, K and batch). All three are one form: output loops, a body with
 * reductions in it, and a tile that says which indices run along vector lanes and which are unrolled beside them.
 */
export interface Schedule {
  /** Each source that is stored, and where. */
  readonly buffers: ReadonlyMap<Source, Buffer>;
  /** In order; a barrier stands between two steps. */
  readonly steps: readonly Step[];
  /** What stands, row-major, for each output of the program. */
  readonly outputs: readonly { readonly name: string; readonly source: Source }[];
  /** Bytes of the arena: the exact peak, constants, inputs and outputs included. */
  readonly bytes: number;
  /** The step at which the most is alive, and what that is, largest first. */
  readonly peak: { readonly step: string; readonly buffers: readonly Buffer[] };
}

/** Kernels that may run at the same time. */
export interface Step {
  readonly name: string;
  readonly kernels: readonly Kernel[];
  /** Depends on nothing but constants: runs when the program is loaded, and never again. */
  readonly once: boolean;
  /** The step writes over what it reads: slabs of its kernels' outermost loops run one after another, a barrier between two. */
  readonly slabs?: { readonly count: number; readonly order: "ascending" | "descending" } | undefined;
}

/** Element `index` lies at element offset `origin + sum(strides[d] * index[d])` of its buffer. */
export interface Layout {
  readonly strides: readonly number[];
  readonly origin: number;
  /** Elements kept before and after the extent of each dimension; they hold `fill`. */
  readonly halo: readonly Halo[];
  readonly fill: number;
  /** Elements, halo and padding included. */
  readonly size: number;
}

export interface Halo {
  readonly low: number;
  readonly high: number;
}

/** Float32 elements in the arena. */
export interface Buffer {
  readonly name: string;
  readonly source: Source;
  readonly layout: Layout;
  /** Byte offset in the arena. */
  readonly offset: number;
}

export interface Kernel {
  readonly name: string;
  readonly kind: "map" | "reduce" | "contract";
  readonly target: Source;
  /** Output loops, outermost first. The first `grid` of them are divided among threads or workgroups. */
  readonly loops: readonly Variable[];
  readonly grid: number;
  /**
   * Loops of a long sum, the body being what is left of it, that run around all loops of the output that a thread is given: each of their
   * iterations adds to the elements, the first one to zero.
   */
  readonly parts: readonly Variable[];
  /** Element offset in the target's buffer, of the output loops' variables. */
  readonly store: Affine;
  readonly body: Value;
  readonly tile: Tile | undefined;
  /** Index groups of a contraction. */
  readonly groups: Groups | undefined;
  /** Estimated cycles of one iteration of the grid. */
  readonly work: number;
}

/** How an inner block of outputs is computed at once. Without a tile a kernel runs element by element in float64. */
export interface Tile {
  /** Runs along vector lanes. */
  readonly lane: Variable;
  /** Vectors of `lane` side by side. */
  readonly vectors: number;
  /** Unrolled beside the lanes. */
  readonly row: Variable | undefined;
  readonly rows: number;
}

/** Output indices of the left operand only (M), of the right only (N), of both (batch), and summed ones (K). */
export interface Groups {
  readonly batch: readonly Variable[];
  readonly m: readonly Variable[];
  readonly n: readonly Variable[];
  readonly k: readonly Variable[];
}
