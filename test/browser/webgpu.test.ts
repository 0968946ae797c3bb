// The WebGPU back end in a real browser, against the interpreter, which runs in the same page.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch } from "./support/browser.js";
import type { page as jobs } from "./support/webgpu-page.js";

let browser: Browser;
let page: Page;

beforeAll(async () => {
  const { outputFiles } = await build({ entryPoints: [fileURLToPath(new URL("./support/webgpu-page.ts", import.meta.url))], bundle: true, format: "iife", platform: "browser", external: ["webgpu"], write: false, logLevel: "warning" });
  browser = await launch();
  page = await browser.newPage();
  // Only secure pages have WebGPU.
  await page.route("https://localhost/", (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
  await page.goto("https://localhost/");
  await page.addScriptTag({ content: outputFiles[0]!.text });
});
afterAll(() => browser.close());

type Jobs = typeof jobs;
const ask = <J extends keyof Jobs>(job: J): Promise<Awaited<ReturnType<Jobs[J]>>> =>
  page.evaluate(async ([name]) => (globalThis as unknown as { webgpuPage: Jobs }).webgpuPage[name](), [job] as const) as Promise<Awaited<ReturnType<Jobs[J]>>>;

test("shaders give what the interpreter gives, bit for bit", async () => {
  const found = await ask("exact");
  expect(found.filter((f) => f.wrong !== "")).toEqual([]);
  expect(found.length).toBeGreaterThan(60);
});

test("functions are right to a few units in the last place", async () => {
  expect((await ask("functions")).filter((f) => f.wrong !== "")).toEqual([]);
});

test("tensors stay on the device, and a lost one is replaced", async () => {
  expect(await ask("residence")).toEqual({ right: true, lost: "device-lost", again: true });
});
