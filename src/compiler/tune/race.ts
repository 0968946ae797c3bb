/** A schedule that was compiled and can run on the inputs of the race. */
export interface Contestant {
  /** Runs once: what came out, and the milliseconds that the kernel took by itself. */
  run(): Promise<{ readonly data: ArrayLike<number>; readonly ms: number }>;
  dispose(): void;
}

/** Schedules of one kernel. The first is the cost model's: the others have to give what it gives. */
export interface Race<C> {
  readonly candidates: readonly C[];
  readonly start: (candidate: C) => Promise<Contestant>;
  /** Whether results have to be the same bit for bit: integers stay exact in any order. Otherwise they may differ by rounding. */
  readonly exact: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface Outcome<C> {
  readonly winner: C;
  readonly ms: number;
  /** Milliseconds of the first candidate, measured beside the winner. */
  readonly firstMs: number;
  /** Candidates that gave other numbers, or none. They can't win. */
  readonly wrong: readonly C[];
}

/** Runs that are not counted: engines compile what is called often a second time. */
const warmUp = 3;
const rounds = 7;
/** A challenger that is this much slower after two rounds is given up. */
const hopeless = 1.25;
/** A challenger has to be faster than this share of the champion's time: less is noise. */
const clearly = 0.97;
/** What rounding may change, relative to the largest number of the result. */
const tolerance = 1e-5;

/**
 * Measures one challenger after the other against the champion: both alive, runs interleaved, medians compared. Each
 * is checked before it is timed and once more after, so a wrong candidate never wins.
 */
export const race = async <C>({ candidates, start, exact, signal }: Race<C>): Promise<Outcome<C>> => {
  const [first, ...others] = candidates as [C, ...C[]];
  let champion = { candidate: first, contestant: await start(first) };
  const wrong: C[] = [];
  let [ms, ratio] = [NaN, 1];
  try {
    const expected = Float32Array.from((await champion.contestant.run()).data);
    const right = (data: ArrayLike<number>): boolean => agrees(expected, data, exact);
    for (const candidate of others) {
      signal?.throwIfAborted();
      const challenger = await started(start, candidate, right);
      if (!challenger) {
        wrong.push(candidate);
        continue;
      }
      const times = await compare(champion.contestant, challenger, right);
      if (!times) wrong.push(candidate);
      if (times && times.challenger < clearly * times.champion) {
        champion.contestant.dispose();
        champion = { candidate, contestant: challenger };
        // The first one's time comes down the chain of champions as ratios of what ran side by side.
        ratio *= times.champion / times.challenger;
        ms = times.challenger;
      } else {
        challenger.dispose();
        if (times) ms = times.champion;
      }
    }
    if (Number.isNaN(ms)) ms = (await champion.contestant.run()).ms;
  } finally {
    champion.contestant.dispose();
  }
  return { winner: champion.candidate, ms, firstMs: ms * ratio, wrong };
};

/** A contestant whose first result is right; undefined for another. */
const started = async <C>(start: Race<C>["start"], candidate: C, right: (data: ArrayLike<number>) => boolean): Promise<Contestant | undefined> => {
  let contestant: Contestant | undefined;
  try {
    contestant = await start(candidate);
    if (right((await contestant.run()).data)) return contestant;
  } catch {
    // What can't be compiled or run here is no candidate.
  }
  contestant?.dispose();
  return undefined;
};

/** Medians of interleaved runs; undefined when the challenger's last result is wrong. */
const compare = async (champion: Contestant, challenger: Contestant, right: (data: ArrayLike<number>) => boolean): Promise<{ champion: number; challenger: number } | undefined> => {
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let k = 0; k < warmUp + rounds; k++) {
    const [a, b] = [await champion.run(), await challenger.run()];
    if (!right(b.data)) return undefined;
    if (k < warmUp) continue;
    ours.push(a.ms);
    theirs.push(b.ms);
    if (ours.length === 2 && Math.min(...theirs) > hopeless * Math.min(...ours)) break;
  }
  return { champion: median(ours), challenger: median(theirs) };
};

const median = (all: readonly number[]): number => [...all].sort((a, b) => a - b)[all.length >> 1]!;

/** Whether a result is the expected one: the same bits (zeros of either sign are one number), or within rounding. */
export const agrees = (expected: ArrayLike<number>, data: ArrayLike<number>, exact: boolean): boolean => {
  if (expected.length !== data.length) return false;
  let largest = 0;
  if (!exact) for (let i = 0; i < expected.length; i++) if (Number.isFinite(expected[i])) largest = Math.max(largest, Math.abs(expected[i]!));
  const slack = exact ? 0 : tolerance * largest;
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [expected[i]!, data[i]!];
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    if (!(Math.abs(a - b) <= slack)) return false;
  }
  return true;
};
