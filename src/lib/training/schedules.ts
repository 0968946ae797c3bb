/** The learning rate by epoch or iteration, from 0. */
export type Schedule = (step: number) => number;

/**
 * The rate times `factor` at each milestone. A milestone that is no whole number never comes, as in PyTorch: the published 2D
 * pre-training names 37.5 and its rate does not fall there.
 */
export const multiStep = (rate: number, milestones: readonly number[], factor = 0.1): Schedule => {
  const steps = milestones.filter(Number.isInteger);
  return (step) => steps.reduce((r, milestone) => (step >= milestone ? r * factor : r), rate);
};

/** rate (1 - step / last)^power. */
export const polynomial =
  (rate: number, last: number, power = 0.9): Schedule =>
  (step) =>
    rate * Math.max(1 - step / last, 0) ** power;

/** Half a cosine from `rate` to 0 over `last` steps. */
export const cosine =
  (rate: number, last: number): Schedule =>
  (step) =>
    (rate * (1 + Math.cos((Math.PI * Math.min(step, last)) / last))) / 2;

/** The first `steps` steps grow evenly from `start` times the rate; then `schedule` as it is. */
export const warmUp =
  (schedule: Schedule, steps: number, start = 0.01): Schedule =>
  (step) =>
    step < steps ? schedule(step) * (start + ((1 - start) * step) / steps) : schedule(step);
