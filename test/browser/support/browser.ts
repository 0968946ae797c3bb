import { existsSync } from "node:fs";
import { chromium, type Browser } from "playwright-core";
import { afterAll, beforeAll } from "vitest";
import { bundle, type Bundle } from "./bundle.js";
import type { jobs, Order } from "./jobs.js";
import { serve, type Site } from "./server.js";

const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => existsSync(path));

/**
 * Chromium without a window, with WebGL 2 and WebGPU on its software adapter. Workgroup memory is not cleared for the
 * shaders, which must not count on it: clearing it takes that adapter seconds to compile.
 */
export const launch = (): Promise<Browser> => {
  if (executablePath === undefined) throw new Error("there is no Chromium: install Debian's package chromium");
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--enable-unsafe-webgpu",
      "--use-webgpu-adapter=swiftshader",
      "--enable-dawn-features=disable_workgroup_init",
      "--js-flags=--expose-gc",
    ],
  });
};

/** What a job gives. */
type Result<J extends Order["job"]> = (typeof jobs)[J] extends (...of: never[]) => Promise<infer R> ? R : never;

/** Opens a page of the site, and gives what it makes of the order. @throws what the page reports */
const ask = async <J extends Order["job"]>(browser: Browser, site: Site, order: Order & { readonly job: J }): Promise<Result<J>> => {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    const lines: string[] = [];
    return await new Promise<Result<J>>((resolve, reject) => {
      page.on("pageerror", reject);
      page.on("crash", () => reject(new Error("the page crashed")));
      page.on("console", (message) => {
        const [, event, json] = /^(ready|result|failure) (.*)$/s.exec(message.text()) ?? [];
        if (event === "ready") void context.setOffline(true);
        else if (event === "result") resolve(JSON.parse(json!) as Result<J>);
        else if (event === "failure") reject(new Error(`${JSON.parse(json!) as string}\n${lines.join("\n")}`));
        else lines.push(message.text());
      });
      page.goto(`${site.address}?order=${encodeURIComponent(JSON.stringify(order))}`).catch(reject);
    });
  } finally {
    await context.close();
  }
};

/** For the tests of a file: one browser, and a page for each order, from a site with the given headers. */
export const pages = (): (<J extends Order["job"]>(
  headers: Readonly<Record<string, string>>,
  order: Order & { readonly job: J },
) => Promise<Result<J>>) => {
  let browser: Browser;
  let files: Bundle;
  beforeAll(async () => {
    [browser, files] = await Promise.all([launch(), bundle()]);
  }, 60_000);
  afterAll(() => browser?.close());
  return async (headers, order) => {
    const site = await serve(files, headers);
    try {
      return await ask(browser, site, order);
    } finally {
      await site.close();
    }
  };
};
