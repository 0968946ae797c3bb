// The golden cases in a real browser: in a page and in its worker, with threads and without, and without a network.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { ofNetworks } from "../support/kinds.js";
import { pages } from "./support/browser.js";
import type { Order } from "./support/jobs.js";
import { isolation } from "./support/server.js";

const ask = pages();
const folder = fileURLToPath(new URL("../goldens/", import.meta.url));
const all = readdirSync(folder)
  .flatMap((file) => /^(.*)\.json$/.exec(file)?.[1] ?? [])
  .sort()
  .map((id) => ({ id, kind: (JSON.parse(readFileSync(`${folder}${id}.json`, "utf8")) as { kind: string }).kind }));

/** Under the strictest policy that lets WebAssembly run, with threads from text; `connect-src` is for the cases themselves. */
const policy = { "Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src 'self'" };
const threads = (n: number) => `as asked; ${n} threads`;
const alone = "as asked; one thread: there is no SharedArrayBuffer; a page has it when it is cross-origin isolated";

const shared: readonly [name: string, order: Omit<Order, "job">, why: string][] = [
  ["wasm, one thread", { options: { device: "wasm", threads: 1 } }, "as asked; one thread, as asked"],
  ["wasm, two threads", { options: { device: "wasm", threads: 2 } }, threads(2)],
  ["wasm, four threads", { options: { device: "wasm", threads: 4 } }, threads(4)],
  ["wasm, in a worker, one thread more than cores", { options: { device: "wasm", threads: 3 }, inWorker: true }, threads(3)],
  ["wasm, with the network gone", { options: { device: "wasm", threads: 2 }, offline: true }, threads(2)],
  ["webgpu", { options: { device: "webgpu" } }, "as asked"],
  ["gpujs:webgpu", { options: { device: "gpujs:webgpu" } }, "as asked"],
  ["gpujs:webgl2", { options: { device: "gpujs:webgl2" } }, "as asked"],
];

const check = async (headers: Readonly<Record<string, string>>, order: Omit<Order, "job">, why: string, networks = order.options.threads === 2 && !order.offline): Promise<void> => {
  const results = await ask({ ...headers, ...policy }, { ...order, job: networks ? "goldens" : "smallGoldens" });
  expect(results.map((c) => c.id)).toEqual(all.filter(({ kind }) => networks || !ofNetworks.has(kind)).map(({ id }) => id));
  expect(results.filter((c) => c.status !== "passed")).toEqual([]);
  // Nothing was moved to another device, or to fewer threads.
  const ran = results.filter((c) => !c.reason.includes("computed outside any device"));
  expect(ran.length).toBeGreaterThan(30);
  for (const { devices, why: how } of ran) expect([...devices, ...how]).toEqual([order.options.device, why]);
};

describe("the cases of the repository pass in an isolated page", () => {
  test.each(shared)("%s", (_, order, why) => check(isolation, order, why));
});

describe("the cases of the repository pass in a page that is not isolated", () => {
  test("wasm", () => check({}, { options: { device: "wasm" } }, alone));
  test("wasm, in a worker, with nothing asked for", () => check({}, { options: { device: "wasm" }, inWorker: true }, alone));
});
