import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build as esbuildBuild, type BuildOptions } from "esbuild";
import { rolldown as rolldownBuild } from "rolldown";
import { build as viteBuild } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { esbuild, rolldown, rollup, vite, webpack } from "../src/plugin.js";

/** A language of one operator: lifted additions are counted, so that only lifted code gives these results. */
const language = `
export const counts = { lift: 0, add: 0 };
export const fn = (f) => f;
export const site = (file, lines) => ({
  lift: (f, names, at) => { counts.lift++; return f; },
  add: (a, b, at) => { counts.add++; if (b === "fail") throw new Error(file + "|" + Object.keys(lines)); return a + b; },
});
`;

const main = `import { counts, fn } from "indexical";
import { twice } from "./twice.js";

interface Unused {
  a: number;
}

export const plusOne = fn((value: number) => value + 1);
export const unused = fn((value: number) => value + 2);
export const fail = fn((value: number) =>
  value + ("fail" as never));
export const result = [plusOne(1), twice(4), counts.add];
`;

const twice = 'import { fn } from "indexical";\nexport const twice = fn((value) => value + value);\n';
const refused = 'import { fn } from "indexical";\n\nexport const f = fn((value) => {\n  let x = value;\n  return x;\n});\n';

let folder = "";
const file = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "indexical-plugin-"));
  writeFileSync(file("language.js"), language);
  writeFileSync(file("main.ts"), main);
  writeFileSync(file("twice.js"), twice);
  writeFileSync(file("refused.ts"), refused);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Bundle {
  readonly result: readonly number[];
  fail(value: number): number;
}

const load = async (code: string): Promise<Bundle> => (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as Bundle;

const messageOf = (f: () => unknown): string => {
  try {
    f();
  } catch (error) {
    if (error instanceof Error) return error.message;
  }
  return "no error";
};

/** Line and column, from 1, in the original of what stands in `code` at the offset of `text`. */
const origin = (code: string, map: string, text: string): { line: number; column: number; source: string } => {
  const before = code.slice(0, code.indexOf(text)).split("\n");
  const entry = new SourceMap({ sourceRoot: "", ...JSON.parse(map) }).findEntry(before.length - 1, before.at(-1)?.length ?? 0);
  if (!("originalLine" in entry)) throw new Error("not mapped");
  return { line: entry.originalLine + 1, column: entry.originalColumn + 1, source: entry.originalSource };
};

const bundleWithEsbuild = async (options: BuildOptions): Promise<{ code: string; map: string }> => {
  const { outputFiles } = await esbuildBuild({
    bundle: true,
    format: "esm",
    alias: { indexical: file("language.js") },
    plugins: [esbuild()],
    outfile: file("out.js"),
    sourcemap: "external",
    logLevel: "silent",
    ...options,
    write: false,
  });
  const ending = (end: string): string => outputFiles?.find(({ path }) => path.endsWith(end))?.text ?? "";
  return { code: ending(".js"), map: ending(".map") };
};

describe("esbuild", () => {
  test("lifts quoted code of TypeScript and JavaScript", async () => {
    const { code } = await bundleWithEsbuild({ entryPoints: [file("main.ts")] });
    const bundle = await load(code);
    expect(bundle.result).toEqual([2, 8, 2]);
  });

  test("a minified bundle gives the same results", async () => {
    const { code } = await bundleWithEsbuild({ entryPoints: [file("main.ts")], minify: true });
    expect(code).not.toContain("$q");
    expect((await load(code)).result).toEqual([2, 8, 2]);
  });

  test("places and lines of the original reach the program", async () => {
    const { code } = await bundleWithEsbuild({ entryPoints: [file("main.ts")], minify: true });
    const { fail } = await load(code);
    expect(messageOf(() => fail(1))).toMatch(/main\.ts\|8,9,10,11$/);
  });

  test("definitions that nobody uses are dropped", async () => {
    writeFileSync(file("one.ts"), 'export { plusOne } from "./main.js";');
    const { code } = await bundleWithEsbuild({ entryPoints: [file("one.ts")], treeShaking: true });
    expect(code).toMatch(/^var plusOne =/m);
    expect(code).not.toMatch(/^var (unused|fail) =/m);
  });

  test("source maps reach the original file", async () => {
    const { code, map } = await bundleWithEsbuild({ entryPoints: [file("main.ts")] });
    const place = origin(code, map, ".add(value, 1");
    expect(place).toMatchObject({ line: 8, column: 46 });
    expect(place.source).toMatch(/main\.ts$/);
  });

  test("a refusal names file, line and column", async () => {
    const failure = await bundleWithEsbuild({ entryPoints: [file("refused.ts")] }).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      errors: [{ text: expect.stringContaining("quoted code has no variables") as string, location: { line: 4, column: 2 } }],
    });
    expect(String(failure)).toMatch(/refused\.ts:4:2/);
  });
});

describe("vite and rolldown", () => {
  const bundleWithVite = async (entry: string): Promise<{ code: string; map: string }> => {
    const output = await viteBuild({
      root: folder,
      configFile: false,
      logLevel: "silent",
      plugins: [vite()],
      resolve: { alias: { indexical: file("language.js") } },
      build: { write: false, sourcemap: true, minify: false, lib: { entry: file(entry), formats: ["es"], fileName: "out" } },
    });
    const [{ output: chunks }] = output as { output: { type: string; code: string; map: object }[] }[];
    return { code: chunks[0].code, map: JSON.stringify(chunks[0].map) };
  };

  test("vite", async () => {
    const { code, map } = await bundleWithVite("main.ts");
    expect((await load(code)).result).toEqual([2, 8, 2]);
    const place = origin(code, map, ".add(value, 1");
    expect(place).toMatchObject({ line: 8, column: 46 });
    expect(place.source).toMatch(/main\.ts$/);
  });

  test("vite: a refusal names file, line and column", async () => {
    await expect(bundleWithVite("refused.ts")).rejects.toMatchObject({
      message: expect.stringContaining("quoted code has no variables") as string,
      errors: [{ loc: { line: 4, column: 2, file: expect.stringMatching(/refused\.ts$/) as string } }],
    });
  });

  test("rolldown", async () => {
    const bundle = await rolldownBuild({ input: file("main.ts"), plugins: [rolldown()], resolve: { alias: { indexical: file("language.js") } } });
    const { output } = await bundle.generate({ format: "es" });
    await bundle.close();
    expect((await load(output[0].code)).result).toEqual([2, 8, 2]);
  });
});

describe("options", () => {
  test("exclude", async () => {
    const { code } = await bundleWithEsbuild({ entryPoints: [file("main.ts")], plugins: [esbuild({ exclude: [/twice/] })] });
    expect((await load(code)).result).toEqual([2, 8, 1]);
  });

  test("include", async () => {
    const { code } = await bundleWithEsbuild({ entryPoints: [file("main.ts")], plugins: [esbuild({ include: [/twice/] })] });
    expect((await load(code)).result).toEqual([2, 8, 1]);
  });

  test("modules", async () => {
    writeFileSync(
      file("renamed.ts"),
      'import { counts, fn } from "./language.js";\nexport const result = [fn((a: number) => a + 1)(1), counts.add];',
    );
    const modules = (specifier: string): boolean => specifier === "./language.js";
    const { code } = await bundleWithEsbuild({ entryPoints: [file("renamed.ts")], plugins: [esbuild({ modules })] });
    expect((await load(code)).result).toEqual([2, 1]);
  });

  test("each bundler has its plugin", () => {
    expect([vite, rollup, rolldown, esbuild, webpack].map((plugin) => typeof plugin)).toEqual(Array(5).fill("function"));
    expect(rollup()).toMatchObject({ name: "indexical" });
    expect(vite()).toMatchObject({ name: "indexical", enforce: "pre" });
  });
});
