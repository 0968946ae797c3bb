/**
 * A contestant is a process that answers each line with a line of JSON: `start` prepares and computes once, `run` gives a
 * time, `end` gives the peak memory. A process that plays several is told which: `start NAME`, `run NAME`.
 */
export interface Ready {
  readonly ready: true;
  /** From source to the first result: compiling, warming up the engine. */
  readonly firstMs: number;
  readonly device: string;
  /** A few results, for a check that all contestants compute the same; none where the weights are not the same. */
  readonly sample: readonly number[];
}

export interface Timed {
  readonly ms: number;
  /** The part of it that converts between NCDHW arrays and the layout of the plan. */
  readonly conversionMs?: number;
}

export interface Ended {
  /** Of the process; 0 where it plays several. */
  readonly peakRssMb: number;
}

/** What was started, and how to run it. */
export interface Started {
  readonly device: string;
  readonly sample: readonly number[];
  readonly run: () => Promise<Timed>;
}

/** Evenly spread elements of a result. */
export const sampleOf = (data: ArrayLike<number>): number[] => Array.from({ length: 32 }, (_, k) => data[Math.floor((k * (data.length - 1)) / 31)]!);
