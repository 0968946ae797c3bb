// The script of a worker: the same jobs as in the page.
import { fetchGoldens, jobs, type Order } from "./jobs.js";

addEventListener("message", ({ data }: MessageEvent<Order>) => {
  jobs[data.job](data.options, fetchGoldens).then(
    (result) => postMessage({ result }),
    (error: unknown) => postMessage({ failure: String(error) }),
  );
});
