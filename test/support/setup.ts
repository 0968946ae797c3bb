import fc from "fast-check";

/**
 * How random tests draw, for all of them. Each run draws anew and a failure prints its seed; `SEED=1` draws the same again, which
 * is how the checks of a commit are run. `RUNS=5000` takes that many in place of a test's own number, however long it takes:
 * without it drawing, and the search for a smaller failure, end in time for the report.
 */
const { SEED, RUNS } = process.env;
fc.configureGlobal({
  ...fc.readConfigureGlobal(),
  ...(SEED === undefined ? {} : { seed: Number(SEED) }),
  ...(RUNS === undefined ? { interruptAfterTimeLimit: 40_000 } : {}),
});
