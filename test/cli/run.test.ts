import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ndarray, readArrays, readNifti, writeNpy, writeNpz, writeSafetensors, writeNifti } from "../../src/lib/formats/index.js";
import { indexical, prepare } from "./indexical.js";

let folder = "";
const at = (name: string): string => join(folder, name);
const run = (...args: string[]) => indexical(["run", ...args], folder);

beforeAll(() => {
  prepare();
  folder = mkdtempSync(join(tmpdir(), "indexical-run-"));
  writeFileSync(
    at("net.ts"),
    `import { pad, sum, tensor, type Matrix, type Tensor, type Vector } from "indexical";
     export const rows = ({ x, w }: { x: Matrix; w: Vector }) => tensor((i) => sum((j) => x(i, j) * w(j)));
     export const both = ({ x, w }: { x: Matrix; w: Vector }) => ({ rows: rows({ x, w }), doubled: tensor((i, j) => 2 * x(i, j)) });
     type Voxels = Tensor<[i: number, j: number, k: number]>;
     export const next = ({ x }: { x: Voxels }) => { const p = pad(x, [[0, 1], 0, 0]); return tensor((i, j, k) => p(i + 1, j, k)); };
     export const batched = ({ x }: { x: Tensor<[n: number, i: number, j: number, k: number]> }) => tensor((n, i, j, k) => x(n, i, j, k) + 1);`,
  );
  const x = ndarray(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
  const w = ndarray(Float32Array.of(1, 10, 100), [3]);
  writeFileSync(at("x.npy"), writeNpy(x));
  writeFileSync(at("both.npz"), writeNpz({ x, w }));
  writeFileSync(at("w.safetensors"), writeSafetensors({ "conv.weight": w, other: x }));
  const affine = [[-2, 0, 0, 10], [0, 3, 0, 20], [0, 0, 4, 30]] as const;
  writeFileSync(at("scan.nii.gz"), writeNifti({ data: Int16Array.from({ length: 24 }, (_, n) => n), shape: [2, 3, 4], affine }, { gzip: true }));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const output = (name: string) => readArrays(readFileSync(at(name)));

test("one file for each input; the one result is called output", () => {
  const result = run("net.ts#rows", "--input", "x=x.npy", "--input", "w=w.safetensors#conv.weight", "--output", "y.safetensors", "--device", "reference");
  expect(result).toMatchObject({ status: 0, stderr: "" });
  expect(result.stdout).toMatch(/^output \[2\] float64 -> y\.safetensors\nran on reference in [\d.]+ ms\n$/);
  expect(output("y.safetensors")).toMatchObject({ output: { shape: [2], data: Float64Array.of(321, 654) } });
});

test("a file whose arrays are the inputs; a record has its names", () => {
  expect(run("net.ts#both", "--input", "both.npz", "--output", "y.npz", "--device", "reference").status).toBe(0);
  expect(output("y.npz")).toMatchObject({ rows: { shape: [2] }, doubled: { shape: [2, 3], data: Float64Array.of(2, 4, 6, 8, 10, 12) } });
});

test("a NIfTI image is indexed [i][j][k], and its place travels", () => {
  const result = run("net.ts#next", "--input", "x=scan.nii.gz", "--output", "y.nii.gz", "--device", "reference");
  expect(result).toMatchObject({ status: 0, stderr: "" });
  const { data, shape, affine } = readNifti(readFileSync(at("y.nii.gz")));
  expect(shape).toEqual([2, 3, 4]);
  // i runs fastest in the file: voxel (0, j, k) is now what (1, j, k) was, and nothing comes after (1, j, k).
  expect(Array.from(data)).toEqual(Array.from({ length: 24 }, (_, n) => (n % 2 === 0 ? n + 1 : 0)));
  expect(affine).toEqual([[-2, 0, 0, 10], [0, 3, 0, 20], [0, 0, 4, 30]]);
});

test("--shape gives the same numbers a batch axis; NIfTI drops it again", () => {
  const result = run("net.ts#batched", "--input", "x=scan.nii.gz", "--shape", "x=1,2,3,4", "--output", "z.nii", "--device", "reference");
  expect(result).toMatchObject({ status: 0, stderr: "" });
  expect(readNifti(readFileSync(at("z.nii"))).shape).toEqual([2, 3, 4]);
  expect(Array.from(readNifti(readFileSync(at("z.nii"))).data)).toEqual(Array.from({ length: 24 }, (_, n) => n + 1));
});

test.each([
  [["--input", "x=x.npy"], /the program takes an input w, but no shape was given for it/],
  [["--input", "x=x.npy", "--input", "w=nothing.npy"], /cannot read nothing\.npy/],
  [["--input", "x.npy"], /x\.npy holds one array without a name.*\n.*--input x=x\.npy/],
  [["--input", "x=x.npy", "--input", "x=x.npy"], /the input x is given twice/],
  [["--input", "x=x.npy", "--input", "w=w.safetensors"], /w\.safetensors holds 2 arrays, none of them called w/],
  [["--input", "x=x.npy", "--input", "w=w.safetensors#conv.weigth"], /has no array conv\.weigth.*\n.*Did you mean conv\.weight\?/],
  [["--input", "both.npz", "--shape", "x=5"], /--shape x=5 has 5 elements, the array \[2, 3\] of the file 6/],
  [["--input", "both.npz", "--shape", "y=6"], /--shape y=\.\.\. has no --input y=FILE/],
  [["--input", "both.npz", "--device", "wasn"], /there is no device wasn.*\n.*Did you mean wasm\?/],
])("%j is wrong usage", (args, message) => {
  const { status, stderr, stdout } = run("net.ts#rows", "--output", "y.npy", "--device", "reference", ...args);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/\n\s+at .*\.js:/);
});

test("arrays of the wrong shape are refused with the place in the program", () => {
  const { status, stderr } = run("net.ts#rows", "--input", "x=x.npy", "--input", "w=w.safetensors#other", "--output", "y.npy");
  expect(status).toBe(1);
  expect(stderr).toMatch(/net\.ts:2:\d+\n.*\n\s+\^/);
});

test("tuning: measured once, kept in a file, used from it; a bad file is refused", () => {
  const conv = `import { pad, sum, tensor, type Kernel3d, type Volume } from "indexical";
    export const conv = ({ x, w }: { x: Volume; w: Kernel3d }) => { const p = pad(x, [0, 0, 1, 1, 1]); return tensor((n, o, d, h, v) => sum((c, i, j, k) => p(n, c, d + i, h + j, v + k) * w(o, c, i, j, k))); };`;
  writeFileSync(at("conv.ts"), conv);
  writeFileSync(at("volume.npy"), writeNpy(ndarray(Float32Array.from({ length: 4 * 512 }, (_, i) => (i % 7) - 3), [1, 4, 8, 8, 8])));
  writeFileSync(at("kernel.npy"), writeNpy(ndarray(Float32Array.from({ length: 8 * 4 * 27 }, (_, i) => (i % 5) - 2), [8, 4, 3, 3, 3])));
  const all = (out: string, ...more: string[]) => run("conv.ts#conv", "--input", "x=volume.npy", "--input", "w=kernel.npy", "--output", out, "--device", "wasm", ...more);
  expect(all("plain.npy").stdout).not.toContain("tuned");
  expect(all("tuned.npy", "--tune", "--tuning", "tuned.json").stdout).toMatch(/tuned: (\d+) of \1 kernels were measured/);
  const kept = readFileSync(at("tuned.json"), "utf8");
  expect(JSON.parse(kept)).toMatchObject({ indexical: "tuning", format: 1 });
  expect(all("again.npy", "--tuning", "tuned.json").stdout).toMatch(/tuned: (\d+) of \1 kernels were measured/);
  expect(readFileSync(at("tuned.json"), "utf8")).toBe(kept);
  for (const name of ["tuned.npy", "again.npy"]) expect(readFileSync(at(name)).equals(readFileSync(at("plain.npy")))).toBe(true);
  const shown = indexical(["explain", "conv.ts#conv", "--shape", "x=1,4,8,8,8", "--shape", "w=8,4,3,3,3", "--device", "wasm", "--tuning", "tuned.json"], folder);
  expect(shown).toMatchObject({ status: 0, stderr: "" });
  expect(shown.stdout).toContain("kernel output (wasm)");
  writeFileSync(at("bad.json"), "{}");
  expect(all("bad.npy", "--tuning", "bad.json")).toMatchObject({ status: 1, stderr: expect.stringContaining("[tuning-malformed]") });
  expect(all("bad.npy", "--tuning", "missing.json")).toMatchObject({ status: 2, stderr: expect.stringContaining("[cli-file]") });
});
