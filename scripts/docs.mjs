// Fills the blocks of the documentation that come from files and commands:
//
//   <!-- file examples/quickstart/main.ts -->   the file, as code
//   <!-- run node scripts/run.mjs ... -->       the command, and what it prints
//
// each followed by a fenced block, which is replaced.
//
//   node scripts/docs.mjs            all of them
//   node scripts/docs.mjs README.md  those of some files
//   node scripts/docs.mjs --check    says which files blocks are not up to date in, and changes nothing; commands are not run
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { ensure, root } from "./ensure.mjs";

const args = process.argv.slice(2);
const check = args.includes("--check");
const given = args.filter((argument) => !argument.startsWith("--"));

const pages = [
  "README.md",
  ...readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`),
  ...readdirSync(join(root, "docs/guide")).map((name) => `docs/guide/${name}`),
  ...readdirSync(join(root, "examples")).map((name) => `examples/${name}/README.md`),
].filter((page) => existsSync(join(root, page)) && (given.length === 0 || given.includes(page)));

const block = /^<!-- (file|run) (.+) -->\n\n```.*\n[^]*?^```$/gm;

const fromFile = (path) => `\`\`\`${extname(path).slice(1)}\n${readFileSync(join(root, path), "utf8").trimEnd()}\n\`\`\``;

const fromRun = (command) => {
  const { stdout, stderr, status } = spawnSync("bash", ["-c", command.replace(/^indexical /, "node dist/cli/main.js ")], { cwd: root, encoding: "utf8" });
  if (status === null || status > 1) throw new Error(`${command}\n${stdout}${stderr}`);
  return `\`\`\`\n$ ${command}\n${stdout.replaceAll(root, "").trimEnd()}\n\`\`\``;
};

ensure();
if (!check) {
  const { buildOrExit } = await import("./build.mjs");
  await buildOrExit({ types: false });
}
let stale = 0;
for (const page of pages) {
  const before = readFileSync(join(root, page), "utf8");
  const after = before.replace(block, (all, kind, what) => {
    if (kind === "run" && check) return all;
    return `<!-- ${kind} ${what} -->\n\n${kind === "file" ? fromFile(what) : fromRun(what)}`;
  });
  if (after === before) continue;
  stale++;
  if (check) console.error(`${page} does not show the files as they are: run node scripts/docs.mjs ${page}`);
  else {
    writeFileSync(join(root, page), after);
    console.log(`wrote ${page}`);
  }
}
if (check) process.exitCode = stale > 0 ? 1 : 0;
