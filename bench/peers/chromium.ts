import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { chromium, type Page } from "playwright-core";
import { esbuild } from "../../src/plugin.js";
import type { Ready, Started, Timed } from "../contestant.js";
import { serve } from "../protocol.js";

/**
 * `chromium.ts WORKLOAD ORT THREADS`: this package and onnxruntime-web in one page of a headless Chromium, in the same engine with
 * as many threads each. `start indexical`, `start onnxruntime-web`. ORT is the file that the package's name resolves to.
 */
const [workload = "W1", ort = "", threads = "1"] = process.argv.slice(2);

const here = fileURLToPath(new URL("./", import.meta.url));
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => existsSync(path));

const bundle = async (): Promise<Uint8Array> => {
  const { outputFiles } = await build({
    entryPoints: [`${here}chromium-page.ts`],
    bundle: true, format: "esm", platform: "browser", write: false, logLevel: "error", external: ["/ort/*"],
    // The sources of the package are taken as they were built.
    tsconfigRaw: {},
    plugins: [esbuild({ exclude: [/[\\/](node_modules|dist)[\\/]/] }) as Plugin],
  });
  return outputFiles[0]!.contents;
};

/** What makes a page cross-origin isolated, so that it has shared memory. */
const isolation = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

const open = async (): Promise<Page> => {
  if (!executablePath) throw new Error("there is no Chromium: install Debian's package chromium");
  const script = await bundle();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, "http://localhost");
    const file = join(dirname(ort), pathname.slice("/ort/".length));
    const [type, content] =
      pathname === "/" ? ["text/html", '<!doctype html><meta charset="utf-8"><script type="module" src="/page.js"></script>']
      : pathname === "/page.js" ? ["text/javascript", script]
      : pathname.startsWith("/ort/") && existsSync(file) ? [file.endsWith(".wasm") ? "application/wasm" : "text/javascript", readFileSync(file)]
      : [undefined, ""];
    response.writeHead(type ? 200 : 404, { "Content-Type": type ?? "text/plain", ...isolation }).end(content);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const page = await browser.newPage();
  page.setDefaultTimeout(600_000);
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await page.waitForFunction("globalThis.bench !== undefined");
  return page;
};

let page: Promise<Page> | undefined;

await serve(async (who): Promise<Started> => {
  const opened = await (page ??= open());
  const ask = <T>(what: string): Promise<T> => opened.evaluate(`bench.${what}(${JSON.stringify([who, workload, Number(threads)])})`) as Promise<T>;
  const { device, sample } = await ask<Omit<Ready, "ready">>("start");
  return { device, sample, run: () => ask<Timed>("run") };
}, async () => (await page)?.context().browser()?.close());
