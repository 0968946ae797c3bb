// Refusals, aborts and disposal in a real browser.
import { describe, expect, test } from "vitest";
import { pages } from "./support/browser.js";
import type { Order } from "./support/jobs.js";
import { isolation } from "./support/server.js";

const ask = pages();
const result = <J extends Order["job"]>(job: J, options: Order["options"], inWorker = false) => ask(isolation, { job, options, inWorker });

test("a program that was never transformed is refused, and the plugin to add is named", async () => {
  expect(await result("untransformed", {})).toMatchObject({
    name: "IndexicalError",
    code: "not-transformed",
    message: expect.stringContaining("indexical/plugin") as string,
  });
});

const devices: readonly Order["options"][] = [
  { device: "wasm", threads: 2 },
  { device: "wasm", threads: 1 },
  { device: "gpujs:webgl2" },
  { device: "gpujs:webgpu" },
  { device: "webgpu" },
];
const name = ({ device, threads }: Order["options"]): string => `${device}${threads === undefined ? "" : `, ${threads} threads`}`;

describe.each(devices.map((options) => [name(options), options] as const))("%s", (_, options) => {
  test("a signal stops compiling and running, and the next run is right", async () => {
    const { told, ...rest } = await result("aborts", options);
    // Where steps are started one by one, those after the signal are not.
    if (options.threads === 1 || options.device?.startsWith("gpujs")) expect(told).toBe(1);
    expect(rest).toEqual({
      device: options.device,
      compiling: "AbortError",
      before: "AbortError",
      during: "AbortError",
      after: true,
    });
  });
  test("disposal leaves nothing behind", async () => {
    const { made, ...left } = await result("disposal", options);
    expect(left).toEqual({ right: true, disposed: "disposed", alive: {} });
    expect(made).toBeGreaterThanOrEqual(10);
  });
  test("twenty programs live at the same time", async () => {
    expect((await result("together", options)).right).toEqual(Array.from({ length: 20 }, () => true));
  });
});

describe.each([false, true])("a device of the page's own, in a worker: %s", (inWorker) => {
  test.each(["webgpu", "gpujs:webgpu"])("%s and the other back end share it", async (device) => {
    expect(await result("ownDevice", { device }, inWorker)).toEqual({
      devices: [device, "webgpu", "gpujs:webgpu"],
      right: [true, true, true, true, true],
      others: 0,
    });
  });
});

describe("tuning in a page", () => {
  test.each([{ device: "wasm", threads: 2 }, { device: "webgpu" }])("$device", async (options) => {
    const { why, machines, right } = await result("tunes", options);
    expect(right).toBe(true);
    expect(machines).toEqual(options.threads ? [expect.stringMatching(/^wasm, Mozilla.*, \d+ processors, 2 threads, indexical \d/)] : []);
    if (options.threads) expect(why).toMatch(/tuned: (\d+) of \1 kernels were measured/);
  });
});

describe("in a worker of the page", () => {
  test.each(["gpujs:webgl2", "gpujs:webgpu", "webgpu"])("%s runs", async (device) => {
    expect(await result("where", { device }, true)).toEqual({ device, why: "as asked", right: true });
  });
  test("gpujs:webasm runs, with gpu.js as it is: a page can't tell its version", async () => {
    expect(await result("where", { device: "gpujs:webasm" }, true)).toEqual({ device: "gpujs:webasm", why: "as asked; gpu.js as it is: it does not tell its version here", right: true });
  });
});
