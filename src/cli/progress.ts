import { SingleBar } from "cli-progress";

/** A bar on standard error, where a person watches; silent elsewhere. */
export interface Progress {
  readonly update: (done: number, total: number) => void;
  readonly stop: () => void;
}

/** @param label what is going on, for example "MeshNet" */
export const progressBar = (label: string): Progress => {
  if (!process.stderr.isTTY) return { update: () => {}, stop: () => {} };
  const bar = new SingleBar({ format: `${label} {bar} {percentage}% | {value}/{total} | {duration_formatted}`, hideCursor: true, stream: process.stderr, clearOnComplete: true });
  let started = false;
  return {
    update: (done, total) => {
      if (!started) bar.start(total, 0);
      started = true;
      bar.update(done);
    },
    stop: () => {
      if (started) bar.stop();
    },
  };
};

/** Runs `work` with a signal that Ctrl-C aborts: once stops the work, twice ends the process. */
export const interruptible = async <T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  process.once("SIGINT", stop);
  try {
    return await work(controller.signal);
  } finally {
    process.off("SIGINT", stop);
  }
};
