import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { errorCodes } from "./error-codes.js";

const folder = new URL("../../docs/errors/", import.meta.url);
const pages = readdirSync(folder).filter((name) => name !== "README.md");
const { codes, unread } = errorCodes();

describe("docs/errors", () => {
  it("has a page for every code that the source can throw, and no other", () => {
    expect(unread).toEqual([]);
    expect(pages.sort()).toEqual([...codes].map((code) => `${code}.md`).sort());
  });

  it.each(pages)("%s says what it means, shows an example, and what to write instead", (page) => {
    const text = readFileSync(new URL(page, folder), "utf8");
    expect(text.startsWith(`# ${page.slice(0, -3)}\n\n`)).toBe(true);
    expect(text).toMatch(/^(?:Refused:|\*\*Example\.\*\*)/m);
    expect(text).toMatch(/^(?:Instead:|\*\*Instead\.\*\*)/m);
    const prose = text.replace(/```[^]*?```/g, "");
    for (const [, linked] of prose.matchAll(/\]\(([^)]+)\)/g)) expect(pages).toContain(linked);
  });
});
