import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { caseIds } from "../../../src/cli/goldens/files.js";
import type { Bundle } from "./bundle.js";

const goldens = fileURLToPath(new URL("../../goldens/", import.meta.url));

/** What makes a page cross-origin isolated, so that it has SharedArrayBuffer. */
export const isolation = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

export interface Site {
  readonly address: string;
  close(): Promise<void>;
}

/** Serves the page, the bundle and the golden cases on this machine, each with the given headers. */
export const serve = async ({ files }: Bundle, headers: Readonly<Record<string, string>>): Promise<Site> => {
  const ids = JSON.stringify(await caseIds(goldens));
  const answer = (path: string): readonly [type: string, content: string | Uint8Array] | undefined => {
    if (path === "/") return ["text/html", '<!doctype html><meta charset="utf-8"><script type="module" src="/page.js"></script>'];
    if (path === "/goldens.json") return ["application/json", ids];
    const golden = /^\/goldens\/(\w[\w.+-]*)$/.exec(path)?.[1];
    if (golden !== undefined) return ["application/octet-stream", readFileSync(`${goldens}${golden}`)];
    if (path === "/favicon.ico") return ["image/png", ""];
    const script = files.get(path);
    return script && ["text/javascript", script];
  };
  const server = createServer((request, response) => {
    const found = answer(new URL(request.url!, "http://localhost").pathname);
    if (found) response.writeHead(200, { "Content-Type": found[0], ...headers }).end(found[1]);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
