import { isTensor, tensor, uniform, type AnyTensor, type Scalar } from "../../dsl/index.js";
import { anyRank } from "../any-rank.js";
import { refuse } from "../arguments.js";

export interface DropoutOptions {
  /** The share of elements that become 0, in [0, 1); default 0.5. */
  readonly p?: number;
  /** Equal seeds drop equal elements: a number, or an input of the program that changes from step to step. */
  readonly seed: number | Scalar;
  /** Whole channels of [N, C, ...] are dropped together; default false. */
  readonly channels?: boolean;
  /** False (inference) gives `x` itself; default true. */
  readonly train?: boolean;
}

/**
 * Dropout: each element is 0 with probability p, else divided by 1 - p. Which ones follows from the seed and the place alone, so a run can be replayed.
 * Srivastava et al., JMLR 2014. @throws lib-argument.
 */
export const dropout = <T extends AnyTensor>(x: T, { p = 0.5, seed, channels = false, train = true }: DropoutOptions): T => {
  if (!(p >= 0 && p < 1)) refuse("lib-argument", `dropout: p is ${String(p)}`, "It is a probability in [0, 1).");
  if (!train || p === 0) return x;
  const read = anyRank(x);
  const place = channels ? 2 : x.rank;
  return tensor(x.shape, (...at) => (uniform(isTensor(seed) ? seed() : seed, ...at.slice(0, place)) < p ? 0 : read(...at) / (1 - p))) as unknown as T;
};
