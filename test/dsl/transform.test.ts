import { expect, test } from "vitest";
import { transformSource } from "../../src/dsl/transform/index.js";
test("a", () => { expect(transformSource(`import { fn } from "indexical"; fn((v) => v + 1);`, "a.ts")?.code).toContain("$q.add(v, 1"); });
