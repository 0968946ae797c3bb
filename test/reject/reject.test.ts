import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { displayName } from "../../src/display-name.js";
import { IndexicalError } from "../../src/dsl/errors.js";
import { transformSource } from "../../src/dsl/transform/index.js";

/**
 * Each program of this folder makes one mistake. Its first line says with which code it is refused, and the text file
 * beside it is the whole message, as a user reads it.
 */
const folder = new URL("./", import.meta.url);
const programs = readdirSync(folder).filter((name) => /^\d+-.*\.ts$/.test(name));

const refusalOf = async (program: string): Promise<unknown> => {
  const path = fileURLToPath(new URL(program, folder));
  try {
    // The bundler would wrap what the transform refuses: it is asked directly first.
    transformSource(readFileSync(path, "utf8"), path, { name: program });
    await import(path);
  } catch (error) {
    return error;
  }
  return undefined;
};

it("there are at least 45 of them, numbered without gaps", () => {
  expect(programs.length).toBeGreaterThanOrEqual(45);
  expect(programs.map((name) => Number.parseInt(name, 10))).toEqual(programs.map((_, n) => n + 1));
});

it.each(programs)("%s", async (program) => {
  const text = readFileSync(new URL(program, folder), "utf8");
  const expected = /^\/\/ expect: ([a-z0-9-]+)\n/.exec(text)?.[1];
  const error = await refusalOf(program);
  if (!(error instanceof IndexicalError)) throw error ?? new Error(`${program} is not refused`);
  expect(error.code).toBe(expected);
  // The name of the file depends on the folder that the tests are started in.
  const message = error.message.replaceAll(displayName(fileURLToPath(new URL(program, folder))), basename(program));
  await expect(`${message}\n`).toMatchFileSnapshot(program.replace(/\.ts$/, ".txt"));
});
