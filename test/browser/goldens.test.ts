// The golden cases in a real browser. Each page does its work without a word from outside, under the headers that are given.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask, launch } from "./support/browser.js";
import { bundle, type Bundle } from "./support/bundle.js";
import type { Order } from "./support/jobs.js";
import { isolation, serve } from "./support/server.js";

let browser: Browser;
let files: Bundle;
beforeAll(async () => {
  [browser, files] = await Promise.all([launch(), bundle()]);
});
afterAll(() => browser.close());

const goldens = async (headers: Readonly<Record<string, string>>, order: Omit<Order, "job">) => {
  const site = await serve(files, headers);
  try {
    return await ask(browser, site, { ...order, job: "goldens" });
  } finally {
    await site.close();
  }
};

test.each(["gpujs:webgl2"])("%s", async (device) => {
  const start = Date.now();
  const { result, console: lines } = await goldens(isolation, { options: { device } });
  console.log(device, Date.now() - start, lines.slice(0, 5));
  console.log(result.filter((c) => c.status !== "skipped").map((c) => `${c.id} ${c.status} ${c.error} ${c.tolerance} ${c.status === "failed" ? c.reason : ""} ${c.devices} ${c.why}`).join("\n"));
});
