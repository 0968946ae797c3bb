import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { indexical, prepare } from "./indexical.js";

let folder = "";
const run = (...args: string[]) => indexical(args, folder);

beforeAll(() => {
  prepare();
  folder = mkdtempSync(join(tmpdir(), "indexical-cli-"));
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  write(
    "net.ts",
    `import { pad, sum, tensor, type Kernel2d, type Kernel3d, type Vector, type Volume } from "indexical";
     import { acsConv3d, acsKernel, conv3d } from "indexical/lib";
     type Inputs = { x: Volume; w: Kernel2d };
     export const acs = ({ x, w }: Inputs) => acsConv3d(x, w, { padding: 1 });
     export const blockSparse = ({ x, w }: Inputs) => conv3d(x, acsKernel(w), { padding: 1 });
     export const unpadded = ({ x, w }: Inputs) => acsConv3d(x, w);
     export const otherSplit = ({ x, w }: Inputs) => acsConv3d(x, w, { padding: 1, split: [1, 1, 1] });
     export const dense = ({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w, { padding: 1 });
     export const positional = (x: Volume, w: Kernel3d) => conv3d(x, w);
     export const size = 3;
    `,
  );
  write("one.mjs", `import { tensor } from "indexical";\nexport default ({ x }) => tensor((i) => 2 * x(i));\n`);
  write("bad.ts", `import { tensor, type Vector } from "indexical";\nexport const f = ({ x }: { x: Vector }) => tensor(x.shape, (i) => x(i + 1));\n`);
  write("loop.ts", `import { tensor, type Vector } from "indexical";\nexport const f = ({ x }: { x: Vector }) => tensor((i) => { let s = x(i); return s; });\n`);
  write("thrown.ts", `throw new TypeError("on purpose");\n`);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const small = ["--shape", "x=1,2,4,4,4", "--shape", "w=4,2,3,3"];

describe("check", () => {
  test("equal programs: 0", () => {
    const { status, stdout } = run("check", "net.ts#acs", "net.ts#blockSparse", ...small);
    expect(stdout).toMatch(/^(proved|agrees)/);
    expect(status).toBe(0);
  });
  test("different shapes: 1", () => {
    expect(run("check", "net.ts#acs", "net.ts#unpadded", ...small)).toMatchObject({ status: 1, stdout: expect.stringMatching(/^differs: output has shape \[1, 4, 4, 4, 4\]/) });
  });
  test("different values: 1, and a counterexample", () => {
    const { status, stdout } = run("check", "one.mjs", "one.mjs", "--shape", "x=4", "--json");
    expect({ status, verdict: (JSON.parse(stdout) as { verdict: string }).verdict }).toEqual({ status: 0, verdict: "proved" });
    writeFileSync(join(folder, "three.mjs"), `import { tensor } from "indexical";\nexport default ({ x }) => tensor((i) => i === 2 ? 3 * x(i) : 2 * x(i));\n`);
    const other = run("check", "one.mjs", "three.mjs", "--shape", "x=4", "--json");
    expect(other.status).toBe(1);
    expect(JSON.parse(other.stdout)).toMatchObject({ verdict: "differs", counterexample: { index: [2], first: 2, second: 3 } });
  });
  test("a program that is refused: 2", () => {
    const { status, stderr } = run("check", "bad.ts", "bad.ts", "--shape", "x=4");
    expect(status).toBe(2);
    expect(stderr).toMatch(/bad\.ts:2:\d+/);
  });
});

describe("explain and cost", () => {
  const shapes = ["--shape", "x=1,3,8,8,8", "--shape", "w=64,3,3,3"];

  test("ACS becomes three pieces of nine taps, as JSON", () => {
    const { status, stdout } = run("explain", "net.ts#acs", ...shapes, "--device", "gpujs:webasm", "--json");
    expect(status).toBe(0);
    const explained = JSON.parse(stdout) as { pieces: Record<string, unknown>[]; kernels: Record<string, unknown>[] };
    expect(explained).toMatchObject({ inputs: { x: [1, 3, 8, 8, 8], w: [64, 3, 3, 3] }, output: [1, 64, 8, 8, 8], cost: { multiplyAdds: 884736, parameters: 1728, exact: true } });
    expect(explained.pieces.map(({ taps, guards, multiplyAdds }) => [taps, guards, multiplyAdds])).toEqual([22, 21, 21].map((out) => [9, 0, out * 27 * 512]));
    expect(explained.pieces[1]?.["domain"]).toContainEqual({ start: 22, step: 1, extent: 21 });
    expect(explained.kernels).toEqual([{ name: "output", device: "gpujs:webasm", source: expect.stringContaining("this.thread") }]);
  });

  test("what is dumped after a pass is a program that equals the one that was given", () => {
    const { status, stdout } = run("explain", "net.ts#acs", ...small, "--dump-after", "split");
    expect(status).toBe(0);
    writeFileSync(join(folder, "dumped.ts"), stdout);
    expect(run("check", "dumped.ts", "net.ts#acs", ...small).status).toBe(0);
  });

  test("an unknown pass or device is wrong usage", () => {
    expect(run("explain", "net.ts#acs", ...small, "--dump-after", "splt")).toMatchObject({ status: 2, stderr: expect.stringMatching(/Did you mean split\?/) });
    expect(run("explain", "net.ts#acs", ...small, "--device", "gpjus")).toMatchObject({ status: 2, stderr: expect.stringMatching(/there is no device gpjus/) });
  });

  test("cost is a table, or JSON", () => {
    const { stdout } = run("cost", "net.ts#acs", ...shapes);
    expect(stdout).toMatch(/^ +specialised +as written\nmultiply-adds +884,736 +2,654,208\n/);
    expect(JSON.parse(run("cost", "net.ts#acs", ...shapes, "--json").stdout)).toMatchObject({ multiplyAdds: 884736, definition: { multiplyAdds: 2654208 } });
  });
});

describe("programs", () => {
  test.each([
    ["none.ts", /there is no file none\.ts \[cli-file\]/],
    ["nett.ts", /there is no file nett\.ts \[cli-file\]\n {2}Did you mean net\.ts\?/],
    ["net.ts#blockSprase", /exports no blockSprase \[cli-export\]\n.*Did you mean blockSparse\?/],
    ["net.ts#size", /size of .*net\.ts is the number 3, not a program/],
    ["net.ts#positional", /takes 2 arguments; a program takes one record of named tensors.*\n.*positional\(x, w\)/],
    ["net.ts", /net\.ts exports 6 functions \[cli-export\]\n {2}Say which: net\.ts#acs/],
    [".", /is a folder/],
  ])("%s is wrong usage", (target, message) => {
    const { status, stderr, stdout } = run("cost", target, ...small);
    expect(stderr).toMatch(message);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).not.toMatch(/\n\s+at .*\.js:/);
  });

  test("code that can't be lifted shows its place and no stack", () => {
    const { status, stderr } = run("cost", "loop.ts", "--shape", "x=4");
    expect(stderr).toMatch(/\[quote-[a-z]+\]\n {2}at .*loop\.ts:2:\d+\n.*let s = x\(i\).*\n\s+\^/);
    expect(stderr).not.toMatch(/\n {4}at /);
    expect(status).toBe(1);
  });

  test("an error that nobody foresaw shows its stack", () => {
    const { status, stderr } = run("cost", "thrown.ts", "--shape", "x=4");
    expect(stderr).toMatch(/TypeError: on purpose\n\s+at .*thrown\.ts/);
    expect(status).toBe(1);
  });

  test.each([
    ["x", /does not say which input it is for/],
    ["x=4,-1", /"-1" in 4,-1 is not an extent/],
    ["x=4,,2", /"" in 4,,2 is not an extent/],
    ["x=1.5", /"1\.5" in 1\.5 is not an extent/],
  ])("--shape %s is wrong usage", (shape, message) => {
    const { status, stderr } = run("cost", "one.mjs", "--shape", shape);
    expect(stderr).toMatch(message);
    expect(status).toBe(2);
  });

  test("a shape given twice is wrong usage", () => {
    expect(run("cost", "one.mjs", "--shape", "x=4", "--shape", "x=5")).toMatchObject({ status: 2, stderr: expect.stringMatching(/the shape of x is given twice/) });
  });

  test("an input without a shape is wrong usage", () => {
    expect(run("cost", "one.mjs", "--shape", "y=4")).toMatchObject({ status: 2, stderr: expect.stringMatching(/takes an input x, but no shape was given for it/) });
  });
});

describe("the command", () => {
  test("help has examples and exit codes", () => {
    expect(run("--help")).toMatchObject({ status: 0, stdout: expect.stringMatching(/Exit codes: 0 done, 1 refused or different, 2 wrong usage/) });
    for (const command of ["explain", "cost", "check", "run", "new"]) expect(run(command, "--help").stdout).toMatch(/Examples?:\n {2}indexical /);
  });
  test("near misses are offered", () => {
    expect(run("chekc")).toMatchObject({ status: 2, stderr: expect.stringMatching(/unknown command 'chekc' \[cli-argument\]\n\(Did you mean check\?\)/) });
    expect(run("cost", "one.mjs", "--jsno")).toMatchObject({ status: 2, stderr: expect.stringMatching(/Did you mean --json\?/) });
  });
  test("the version is that of the package", () => {
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    expect(run("--version").stdout).toBe(`${version}\n`);
  });
});

describe("doctor", () => {
  test("the reference always works, and what does not says why", () => {
    const { status, stdout } = run("doctor", "--json");
    expect(status).toBe(0);
    const { devices, auto } = JSON.parse(stdout) as { devices: { device: string; works: boolean; reason: string }[]; auto: string };
    expect(devices.find((d) => d.device === "reference")?.works).toBe(true);
    expect(devices.filter((d) => d.reason.length === 0)).toEqual([]);
    expect(devices.find((d) => d.device === auto)?.works).toBe(true);
  });
});

describe("new", () => {
  test("makes a variant whose checks pass", () => {
    expect(run("new", "cross")).toMatchObject({ status: 0, stdout: expect.stringMatching(/cross\/variant\.ts#variant/) });
    const shapes = ["--shape", "x=1,2,4,4,4", "--shape", "w=2,2,3,3,3"];
    expect(run("check", "cross/variant.ts#variant", "cross/variant.ts#definition", ...shapes)).toMatchObject({ status: 0 });
    const { dependencies } = JSON.parse(readFileSync(join(folder, "cross/package.json"), "utf8")) as { dependencies: Record<string, string> };
    expect(dependencies["indexical"]).toMatch(/^file:/);
  });
  test("keeps what exists, and refuses names that npm refuses", () => {
    expect(run("new", "cross").status).toBe(2);
    expect(run("new", "Cross Conv").status).toBe(2);
    expect(existsSync(join(folder, "Cross Conv"))).toBe(false);
  });
});
