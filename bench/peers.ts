import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Workload } from "./workloads/index.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "bench/.peers");
const require = createRequire(join(folder, "package.json"));

/** Someone to be compared with. */
export interface Peer {
  readonly name: string;
  /** Whether it can run the workload, in so many threads beside this device. */
  readonly plays: (workload: Workload, threads: number, device: string) => boolean;
  readonly command: (workload: string, threads: number) => readonly string[];
}

/** A program of this folder, run with the loader. */
export const script = (file: string, ...rest: string[]): readonly string[] => [process.execPath, "--import", join(root, "dist/register.js"), join(root, "bench", file), ...rest];

/** What npm installs for comparison, into a folder of its own. */
const packages = ["onnxruntime-node", "onnxruntime-web", "@tensorflow/tfjs", "@tensorflow/tfjs-backend-wasm"];

const find = (name: string): string | undefined => {
  try {
    return require.resolve(name);
  } catch {
    return undefined;
  }
};

/** Installs the packages that are missing. */
export const installPeers = (): void => {
  // Looked up as files: Node remembers what it did not find.
  const missing = packages.filter((name) => !existsSync(join(folder, "node_modules", name)));
  if (missing.length === 0) return;
  console.error(`installing ${missing.join(", ")} into bench/.peers ...`);
  mkdirSync(folder, { recursive: true });
  if (!existsSync(join(folder, "package.json"))) writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  spawnSync("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", ...missing], { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
};

/** A Python that has PyTorch. */
const python = (): string | undefined => ["python3", "/usr/bin/python3"].find((path) => spawnSync(path, ["-c", "import torch"]).status === 0);

const isWasm = (device: string): boolean => device === "wasm";

/** The peers that are installed; the others are named on the console. */
export const findPeers = (): readonly Peer[] => {
  const found: Peer[] = [];
  const absent: string[] = [];
  const add = (name: string, path: string | undefined, peer: (path: string) => Omit<Peer, "name">): void => {
    if (path === undefined) absent.push(name);
    else found.push({ name, ...peer(path) });
  };
  add("onnxruntime-node", find("onnxruntime-node"), (path) => ({
    plays: (w, _, device) => isWasm(device) && w.onnx !== undefined,
    command: (name, threads) => script("peers/onnxruntime.ts", name, path, "onnxruntime-node", String(threads)),
  }));
  add("onnxruntime-web", find("onnxruntime-web"), (path) => ({
    // Its threads need a page.
    plays: (w, threads, device) => isWasm(device) && w.onnx !== undefined && threads === 1,
    command: (name, threads) => script("peers/onnxruntime.ts", name, path, "onnxruntime-web", String(threads)),
  }));
  add("tfjs", find("@tensorflow/tfjs") && find("@tensorflow/tfjs-backend-wasm"), () => ({
    plays: (w, threads, device) => isWasm(device) && /^(W[1-57]|chain)$/.test(w.name) && threads === 1,
    command: (name) => script("peers/tfjs.ts", name, join(folder, "package.json")),
  }));
  add("pytorch", python(), (path) => ({
    plays: (w, _, device) => isWasm(device) && (w.onnx !== undefined || w.peers?.includes("pytorch") === true),
    command: (name, threads) => [path, join(root, "bench/peers/pytorch.py"), name, String(threads)],
  }));
  found.push({
    name: "gpujs-naive",
    plays: (w, _, device) => device.startsWith("gpujs:webasm") && /^W[135]$/.test(w.name),
    command: (name) => script("peers/gpujs-naive.ts", name),
  });
  if (absent.length > 0) console.error(`not installed, and left out: ${absent.join(", ")} (npm packages with --install; PyTorch is Debian's python3-torch)`);
  return found;
};

/** A page in which this package and onnxruntime-web run in one engine; undefined where there is no Chromium, or nothing to compare with. */
export const chromiumCommand = (workload: Workload, threads: number): readonly string[] | undefined => {
  const ort = find("onnxruntime-web");
  const browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].some((path) => existsSync(path));
  if (!ort || !browser || !workload.onnx || workload.name.startsWith("meshnet")) return undefined;
  return script("peers/chromium.ts", workload.name, ort, String(threads));
};
