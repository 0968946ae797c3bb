import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { root } from "../support/build.js";

test("what a page loads is within its budget, and nothing of Node's is left in it", () => {
  // Fails with its own words when a size is over its budget or an import can't be resolved for a browser.
  const sizes = execFileSync(process.execPath, ["scripts/size.mjs"], { cwd: root, encoding: "utf8" });
  console.log(sizes.trim());
  expect(sizes.match(/^indexical(\/\w+)?: minified \d+ of \d+ KiB/gm)).toHaveLength(3);
});
