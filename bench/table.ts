import { readFileSync } from "node:fs";
import { page, type Report } from "./report.js";

/** Prints the page of a report that was written before: `node scripts/run.mjs bench/table.ts bench/results/DATE.json > docs/benchmarks.md`. */
process.stdout.write(page(JSON.parse(readFileSync(process.argv[2]!, "utf8")) as Report));
