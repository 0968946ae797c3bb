import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildDist, root } from "./support/build.js";

// The shipped loader in an installation of its own, with a language of one operator, and a user's
// folder elsewhere on the disk that has no node_modules.
let folder = "";
const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
};

const language = (name: string): string => `
export const name = "${name}";
export const fn = (f) => f;
export const site = (file) => ({
  lift: (f, names, at) => Object.assign(f, { lifted: file }),
  add: (a, b) => { if (b === "fail") throw new Error("failed"); return a + b; },
});
`;

const run = (file: string, ...flags: string[]): { stdout: string; stderr: string; status: number | null } => {
  const register = pathToFileURL(join(folder, "installation/dist/register.js")).href;
  const args = flags.length > 0 ? flags : ["--import", register];
  return spawnSync(process.execPath, [...args, join(folder, "user", file)], { cwd: join(folder, "user"), encoding: "utf8" });
};

beforeAll(() => {
  buildDist();
  folder = mkdtempSync(join(tmpdir(), "indexical-register-"));
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { exports: object };
  write("installation/package.json", JSON.stringify({ name: "indexical", type: "module", exports }));
  for (const part of ["hooks.js", "register.js", "display-name.js", "dsl/errors.js", "dsl/transform"]) {
    cpSync(join(root, "dist", part), join(folder, "installation/dist", part), { recursive: true });
  }
  write("installation/dist/index.js", language("own"));
  write("installation/dist/lib/index.js", 'export { name } from "../index.js";\nexport const lib = "lib";');
  mkdirSync(join(folder, "installation/node_modules"));
  symlinkSync(join(root, "node_modules/typescript"), join(folder, "installation/node_modules/typescript"), "dir");
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

test("runs TypeScript with quoted code, wherever it is", () => {
  write(
    "user/main.ts",
    'import { fn, name } from "indexical";\nimport { lib } from "indexical/lib";\nenum E { A = 3 }\nconst f = fn((v: number): number => v + E.A);\nconsole.log(f(4), (f as unknown as { lifted: string }).lifted, name, lib);\n',
  );
  expect(run("main.ts")).toEqual(expect.objectContaining({ stdout: "7 main.ts own lib\n", stderr: "", status: 0 }));
});

test("lifts JavaScript that imports the language, and leaves other JavaScript to Node", () => {
  write(
    "user/main.mjs",
    'import { fn } from "indexical";\nimport { same } from "./plain.mjs";\nimport old from "./old.cjs";\nconsole.log(fn((v) => v + 1).lifted, same((v) => v).lifted, old);\n',
  );
  write("user/plain.mjs", "export const same = (f) => f;");
  write("user/old.cjs", "module.exports = 42;");
  expect(run("main.mjs")).toEqual(expect.objectContaining({ stdout: "main.mjs undefined 42\n", stderr: "", status: 0 }));
});

test("finds TypeScript behind .js, no extension, and a folder", () => {
  write(
    "user/imports.ts",
    'import { a } from "./parts/a.js";\nimport { b } from "./parts/b";\nimport { c } from "./parts/c.mjs";\nimport { d } from "./parts";\nimport { e } from "./parts/e.js";\nconsole.log(a, b, c, d, e);\n',
  );
  write("user/parts/a.ts", 'export const a: string = "a";');
  write("user/parts/b.ts", 'export const b: string = "b";');
  write("user/parts/c.mts", 'export const c: string = "c";');
  write("user/parts/index.ts", 'export const d: string = "d";');
  write("user/parts/e.ts", "not read: the .js exists");
  write("user/parts/e.js", 'export const e = "e.js";');
  expect(run("imports.ts").stdout).toBe("a b c d e.js\n");
});

test("what is nowhere stays not found", () => {
  write(
    "user/missing.ts",
    'for (const x of ["./nowhere.js", "nopackage", "indexical/nothing"]) await import(x).catch((e) => console.log(e.code));\n',
  );
  expect(run("missing.ts").stdout).toBe("ERR_MODULE_NOT_FOUND\nERR_MODULE_NOT_FOUND\nERR_PACKAGE_PATH_NOT_EXPORTED\n");
});

test("stack traces show the source", () => {
  write(
    "user/stack.ts",
    'import { fn } from "indexical";\ninterface Gone {\n  a: number;\n}\nexport const f = fn((v: number) =>\n  v + ("fail" as never));\ntry { f(1); } catch (e) { console.log((e as Error).stack); }\n',
  );
  expect(run("stack.ts").stdout).toMatch(/stack\.ts:6:3\)?\n.*stack\.ts:7:7/);
});

test("a refusal shows the place and the remedy, and its fields survive", () => {
  write("user/refused.ts", 'import { fn } from "indexical";\nexport const f = fn((v: number) => {\n  if (v > 3) return 1;\n  return 2;\n});\n');
  write("user/catches.ts", 'await import("./refused.js").catch((e) => console.log(e.name, e.code, e.span.line, e.remedy));\n');
  expect(run("catches.ts").stdout).toBe("IndexicalError quote-if 3 Write `condition ? a : b`.\n");
  const { stderr, status } = run("refused.ts");
  expect(status).toBe(1);
  expect(stderr).toContain(
    "`if` cannot be lifted [quote-if]\n  at refused.ts:3:3\n  3 |   if (v > 3) return 1;\n        ^\n  Write `condition ? a : b`.\n",
  );
  expect(stderr).toMatch(/at .*refused\.ts:3:3\n/);
  expect(stderr).not.toContain("quoteArgument");
});

test("an installation beside the file is used, unless the hooks are told to give their own", () => {
  write("project/node_modules/indexical/package.json", JSON.stringify({ name: "indexical", type: "module", exports: "./index.js" }));
  write("project/node_modules/indexical/index.js", language("beside"));
  write("project/main.ts", 'import { fn, name } from "indexical";\nfn((v: number) => v + 1);\nconsole.log(name);\n');
  expect(run("../project/main.ts").stdout).toBe("beside\n");
  const hooks = JSON.stringify(pathToFileURL(join(folder, "installation/dist/hooks.js")).href);
  const own = `data:text/javascript,${encodeURIComponent(`import { installHooks } from ${hooks}; installHooks({ ownCopy: true });`)}`;
  expect(run("../project/main.ts", "--import", own).stdout).toBe("own\n");
});
