// The script of the page: does what its address asks for and prints the result. It is not called from outside, so that a
// policy against `eval` holds for all that it does.
import { fetchGoldens, jobs, type Order } from "./jobs.js";

/** Prints an event for the test that opened the page. */
const say = (event: "ready" | "result" | "failure", value: unknown): void => {
  console.log(`${event} ${JSON.stringify(value)}`);
};

const inWorker = (order: Order): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const worker = new Worker("/worker.js", { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<{ result?: unknown; failure?: string }>) =>
      data.failure === undefined ? resolve(data.result) : reject(new Error(data.failure));
    worker.onerror = ({ message }) => reject(new Error(message || "the worker could not be loaded"));
    worker.postMessage(order);
  });

const untilOffline = async (): Promise<void> => {
  const gone = new Promise((resolve) => addEventListener("offline", resolve));
  say("ready", {});
  await gone;
  const reached = await fetch("/goldens.json", { cache: "no-store" }).then(
    () => true,
    () => false,
  );
  if (reached) throw new Error("the network is still there");
};

try {
  const order = JSON.parse(new URLSearchParams(location.search).get("order")!) as Order;
  const files = order.offline ? await fetchGoldens() : undefined;
  if (order.offline) await untilOffline();
  say("result", await (order.inWorker ? inWorker(order) : jobs[order.job](order.options, async () => files ?? fetchGoldens())));
} catch (error) {
  say("failure", error instanceof Error ? `${error.message}\n${error.stack}` : String(error));
}
