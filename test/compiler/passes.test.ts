import fc from "fast-check";
import { describe, it } from "vitest";
import { checkPasses } from "../support/meaning.js";
import { programs } from "../support/programs.js";

const runs = Number(process.env["FUZZ"] ?? 300);

describe("passes", () => {
  it("keep the meaning of every program", () => {
    fc.assert(
      fc.property(programs(), (program) => {
        checkPasses(program);
      }),
      { numRuns: runs },
    );
  });
});
