import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { page, type Report } from "../../bench/report.js";

const root = new URL("../../", import.meta.url);

test("docs/benchmarks.md is the page of the newest report", () => {
  const newest = readdirSync(new URL("bench/results/", root)).filter((name) => name.endsWith(".json")).sort().at(-1)!;
  const report = JSON.parse(readFileSync(new URL(`bench/results/${newest}`, root), "utf8")) as Report;
  expect(readFileSync(new URL("docs/benchmarks.md", root), "utf8")).toBe(page(report));
});
