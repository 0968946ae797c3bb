// What runs under which content security policy. The pages can't be helped from outside: they hold their order in their address.
import { describe, expect, test } from "vitest";
import { pages } from "./support/browser.js";
import type { Order } from "./support/jobs.js";
import { isolation } from "./support/server.js";

const ask = pages();
const policy = (text: string) => ({ "Content-Security-Policy": text });

/** A program on a device, in a page with these headers. */
const where = (headers: Readonly<Record<string, string>>, options: Order["options"], inWorker = false) =>
  ask(headers, { job: "where", options, inWorker });

describe("scripts of the site itself, and nothing else", () => {
  const strict = policy("default-src 'none'; script-src 'self'");
  test.each(["webgpu", "gpujs:webgpu", "gpujs:webgl2"])("%s runs", async (device) => {
    expect(await where(strict, { device })).toEqual({ device, why: "as asked", right: true });
  });
  test.each(["wasm", "gpujs:webasm"])("%s is refused, and what is missing is named", async (device) => {
    expect(await where(strict, { device })).toMatchObject({
      code: "device-unavailable",
      message: expect.stringContaining("its script-src lacks 'wasm-unsafe-eval'") as string,
    });
  });
  test("gpujs:cpu is refused, and what is missing is named", async () => {
    expect(await where(strict, { device: "gpujs:cpu" })).toMatchObject({
      code: "device-unavailable",
      message: expect.stringContaining("its script-src lacks 'unsafe-eval'") as string,
    });
  });
  test("auto finds what is left, and says what is not", async () => {
    expect(await where(strict, {})).toMatchObject({ device: "webgpu", right: true, why: expect.stringContaining("'wasm-unsafe-eval'") as string });
  });
});

describe("wasm-unsafe-eval", () => {
  const strict = policy("default-src 'none'; script-src 'self' 'wasm-unsafe-eval'");
  const blobs = policy("default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:");
  const runs = (why: string) => ({ device: "wasm", why: `as asked; ${why}`, right: true });
  const alone = "one thread: there is no SharedArrayBuffer; a page has it when it is cross-origin isolated";

  test("runs in one thread where nothing is shared", async () => {
    expect(await where(strict, { device: "wasm" })).toEqual(runs(alone));
  });
  test("runs in one thread where workers from text are forbidden, and says so", async () => {
    expect(await where({ ...isolation, ...strict }, { device: "wasm", threads: 2 })).toEqual(
      runs("one thread: no worker could be started (the page's policy may forbid workers from blob: addresses)"),
    );
  });
  test("runs in threads there as well, when the site serves indexical/worker", async () => {
    expect(await where({ ...isolation, ...strict }, { device: "wasm", threads: 2, worker: "/threads.js" })).toEqual(runs("2 threads"));
  });
  test("a file that is not there makes it one thread, and is named", async () => {
    expect(await where({ ...isolation, ...strict }, { device: "wasm", threads: 2, worker: "/nothing.js" })).toEqual(
      runs("one thread: no worker could be started (/nothing.js could not be loaded as a worker)"),
    );
  });
  test("runs in threads where workers from text are allowed", async () => {
    expect(await where({ ...isolation, ...blobs }, { device: "wasm", threads: 3 })).toEqual(runs("3 threads"));
  });
  test("the same in a worker of the page", async () => {
    expect(await where({ ...isolation, ...blobs }, { device: "wasm", threads: 2 }, true)).toEqual(runs("2 threads"));
    expect(await where({ ...isolation, ...strict }, { device: "wasm", threads: 2, worker: "/threads.js" }, true)).toEqual(runs("2 threads"));
    expect(await where(strict, { device: "wasm" }, true)).toEqual(runs(alone));
  });
  test("gpujs:webasm runs", async () => {
    expect(await where(strict, { device: "gpujs:webasm" })).toEqual({ device: "gpujs:webasm", why: "as asked; gpu.js as it is: it does not tell its version here", right: true });
  });
});

test("gpujs:cpu needs unsafe-eval", async () => {
  expect(await where(policy("default-src 'none'; script-src 'self' 'unsafe-eval'"), { device: "gpujs:cpu" })).toEqual({
    device: "gpujs:cpu",
    why: "as asked",
    right: true,
  });
});
