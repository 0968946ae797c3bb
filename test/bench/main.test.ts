import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildDist, root } from "../support/build.js";

let folder = "";
beforeAll(() => {
  buildDist();
  folder = mkdtempSync(join(tmpdir(), "indexical-bench-"));
}, 60_000);
afterAll(() => {
  rmSync(folder, { recursive: true });
});

test("a report has the machine, and for each workload what was asked for", () => {
  const file = join(folder, "report.json");
  const command = ["--import", "./dist/register.js", "bench/main.ts", "--only", "W5", "--threads", "1", "--rounds", "1", "--no-peers", "--json", file];
  const { status, stderr } = spawnSync(process.execPath, command, { cwd: root, encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: `wrote ${file}\n` });
  const { machine, results } = JSON.parse(readFileSync(file, "utf8")) as { machine: Record<string, unknown>; results: Record<string, unknown>[] };
  expect(machine).toMatchObject({ cpu: expect.any(String), cores: expect.any(Number), simdGflops: expect.any(Number), copyGBs: [expect.any(Number), expect.any(Number)] });
  expect(results).toHaveLength(1);
  expect(results[0]).toMatchObject({ name: "W5", device: "wasm", threads: 1, peers: {} });
  for (const key of ["medianMs", "gflops", "probeFraction", "peakRssMb", "firstMs", "conversionMs"]) expect(results[0]![key]).toBeGreaterThan(0);
}, 180_000);
