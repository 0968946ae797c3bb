import { existsSync } from "node:fs";
import { chromium, type Browser } from "playwright-core";
import type { jobs, Order } from "./jobs.js";
import type { Site } from "./server.js";

const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => existsSync(path));

/** Chromium without a window, with WebGL 2 and WebGPU on its software adapter. */
export const launch = (): Promise<Browser> => {
  if (executablePath === undefined) throw new Error("there is no Chromium: install Debian's package chromium");
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"] });
};

type Result<J extends Order["job"]> = Awaited<ReturnType<(typeof jobs)[J]>>;

/** Opens a page of the site, and gives what it makes of the order. @throws what the page or its policy reports */
export const ask = async <J extends Order["job"]>(browser: Browser, site: Site, order: Order & { readonly job: J }): Promise<{ readonly result: Result<J>; readonly console: readonly string[] }> => {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    const lines: string[] = [];
    const result = await new Promise<Result<J>>((resolve, reject) => {
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
    return { result, console: lines };
  } finally {
    await context.close();
  }
};
