// gpu.js in a real browser, against the interpreter, which runs in the same page.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { GpujsMode } from "../../src/runtime/gpujs/index.js";
import { launch } from "./support/browser.js";
import type { page as jobs } from "./support/gpujs-page.js";

let browser: Browser;
let page: Page;

beforeAll(async () => {
  const { outputFiles } = await build({ entryPoints: [fileURLToPath(new URL("./support/gpujs-page.ts", import.meta.url))], bundle: true, format: "iife", platform: "browser", write: false, logLevel: "warning" });
  browser = await launch();
  page = await browser.newPage();
  await page.addScriptTag({ content: outputFiles[0]!.text });
});
afterAll(() => browser.close());

type Jobs = typeof jobs;
const ask = <J extends keyof Jobs>(job: J, mode: GpujsMode): Promise<Awaited<ReturnType<Jobs[J]>>> =>
  page.evaluate(async ([name, m]) => (globalThis as unknown as { gpujsPage: Jobs }).gpujsPage[name](m), [job, mode] as const) as Promise<Awaited<ReturnType<Jobs[J]>>>;

describe.each(["webgl2", "webasm"] as const)("in a page, gpujs:%s", (mode) => {
  test("gives what the interpreter gives, bit for bit", async () => {
    const found = await ask("exact", mode);
    expect(found.filter((f) => f.wrong !== "" || f.device !== `gpujs:${mode}`)).toEqual([]);
    expect(found.length).toBeGreaterThan(60);
  });

  test("has functions as exact as its language promises", async () => {
    const found = await ask("functions", mode);
    expect(found.filter((f) => f.wrong !== "" || f.device !== `gpujs:${mode}`)).toEqual([]);
  });
});

test("in a page, gpujs:webgl2 counts beyond 2^24 elements", async () => {
  expect((await ask("large", "webgl2")).filter((f) => f.wrong !== "" || f.device !== "gpujs:webgl2")).toEqual([]);
});

test("WebGL refuses what takes 32-bit integers", async () => {
  expect(await ask("bits", "webgl2")).toBe("device-bits");
});
