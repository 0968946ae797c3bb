import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { goldens } from "../../src/cli/goldens/goldens.js";
import { small } from "../support/kinds.js";
import type { CaseResult } from "../../src/cli/goldens/run.js";

/** The golden cases of the repository. */
export const folder = fileURLToPath(new URL("../goldens/", import.meta.url));

export interface Report {
  readonly cases: readonly CaseResult[];
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** The command with these arguments: its exit code and what it printed. */
export const call = async (...args: readonly string[]): Promise<{ code: number; out: string[]; err: string[] }> => {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await goldens(args, { out: (line) => out.push(line), err: (line) => err.push(line) });
  return { code, out, err };
};

/** Tests that every case of the repository passes on a device; devices that are made for small programs leave the networks out. */
export const describeGoldensOn = (device: string, { networks = false }: { readonly networks?: boolean } = {}): void => {
  describe(`the cases of the repository on ${device}${networks ? "" : ", networks apart"}`, () => {
    let report: Report;
    let code: number;
    beforeAll(async () => {
      const ran = await call(folder, "--device", device, "--json", ...(networks ? [] : ["--kinds", small.join()]));
      if (ran.code === 2) throw new Error(ran.err.join("\n"));
      code = ran.code;
      report = JSON.parse(ran.out.join("\n")) as Report;
    }, 240_000);
    it("pass", () => {
      expect(report.cases.filter((c) => c.status === "failed")).toEqual([]);
      expect(report).toMatchObject({ passed: networks ? 54 : 38, failed: 0, skipped: 0 });
      expect(code).toBe(0);
    });
    it("leave no gradient unchecked", () => {
      expect(report.cases.find((c) => c.id === "a3d_d5")?.reason).toBe("");
      expect(report.cases.find((c) => c.id === "acs_k1")?.reason).toBe("");
    });
    it("report an error within its tolerance", () => {
      for (const { status, error, tolerance } of report.cases) if (status === "passed") expect(error).toBeLessThanOrEqual(tolerance!);
    });
  });
};
