import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ndarray, readArrays, writeNpy } from "../../src/lib/formats/index.js";
import { indexical, prepare } from "./indexical.js";

let folder = "";
const at = (name: string): string => join(folder, name);
const call = (...args: string[]) => indexical(args, folder);
const arrays = (name: string) => readArrays(readFileSync(at(name)));

beforeAll(() => {
  prepare();
  folder = mkdtempSync(join(tmpdir(), "indexical-grad-"));
  writeFileSync(
    at("net.ts"),
    `import { sum, tensor, type Matrix, type Vector } from "indexical";
     export const rows = ({ x, w }: { x: Matrix; w: Vector }) => tensor((i) => sum((j) => x(i, j) * w(j)));
     export const both = ({ x, w }: { x: Matrix; w: Vector }) => ({ rows: rows({ x, w }), squares: tensor((j) => w(j) ** 2) });
     export const steps = ({ x }: { x: Matrix }) => tensor((i, j) => Math.floor(x(i, j)));
     export const own = ({ x, g }: { x: Matrix; g: Vector }) => tensor((i, j) => x(i, j) * g(j));`,
  );
  writeFileSync(at("x.npy"), writeNpy(ndarray(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3])));
  writeFileSync(at("w.npy"), writeNpy(ndarray(Float32Array.of(1, 10, 100), [3])));
  writeFileSync(at("g.npy"), writeNpy(ndarray(Float32Array.of(1, -1), [2])));
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

const inputs = ["--input", "x=x.npy", "--input", "w=w.npy"];

test("run --grad writes the gradient by every input", () => {
  const result = call("run", "net.ts#rows", "--grad", ...inputs, "--input", "g=g.npy", "--output", "y.safetensors", "--device", "reference");
  expect(result).toMatchObject({ status: 0, stderr: "" });
  expect(arrays("y.safetensors")).toMatchObject({
    "grad.x": { shape: [2, 3], data: Float64Array.of(1, 10, 100, -1, -10, -100) },
    "grad.w": { shape: [3], data: Float64Array.of(-3, -3, -3) },
  });
});

test("without g, of the sum; with --wrt, by some", () => {
  expect(call("run", "net.ts#rows", "--grad", "--wrt", "w", ...inputs, "--output", "y.safetensors", "--device", "wasm").status).toBe(0);
  expect(arrays("y.safetensors")).toEqual({ "grad.w": ndarray(Float32Array.of(5, 7, 9), [3]) });
});

test("of a record, g.<name> for each output", () => {
  expect(call("run", "net.ts#both", "--grad", "--wrt", "w", ...inputs, "--input", "g.rows=g.npy", "--input", "g.squares=w.npy", "--output", "y.npz", "--device", "reference").status).toBe(0);
  expect(arrays("y.npz")).toMatchObject({ "grad.w": { data: Float64Array.of(-3 + 2, -3 + 200, -3 + 20_000) } });
});

test("cost --grad and explain --grad take the shape of g from the output", () => {
  const cost = call("cost", "net.ts#rows", "--grad", "--shape", "x=4,5", "--shape", "w=5", "--json");
  expect(cost).toMatchObject({ status: 0, stderr: "" });
  expect(JSON.parse(cost.stdout).multiplyAdds).toBe(20);
  const explained = call("explain", "net.ts#rows", "--grad", "--shape", "x=4,5", "--shape", "w=5", "--dump-after", "fuse");
  expect(explained).toMatchObject({ status: 0, stderr: "" });
  expect(explained.stdout).toMatch(/export const program = \(\{ x, w, g \}/);
  expect(explained.stdout).toMatch(/return \{ "grad\.x": \w+, "grad\.w": \w+ \};/);
});

test("mistakes say what is wrong", () => {
  const refused = (...args: string[]) => {
    const { status, stderr } = call(...args);
    return `${status} ${/\[([a-z]+-[\w-]+)\]/.exec(stderr)?.[1]}`;
  };
  const rows = ["run", "net.ts#rows", ...inputs, "--output", "y.npz", "--device", "reference"];
  expect(refused(...rows, "--wrt", "w")).toBe("2 cli-argument");
  expect(refused(...rows, "--grad", "--wrt", "weight")).toBe("2 grad-input");
  expect(refused(...rows, "--grad", "--input", "g=w.npy")).toBe("2 grad-seed");
  expect(refused("explain", "net.ts#steps", "--grad", "--shape", "x=2,2")).toBe("1 grad-discrete");
  expect(refused("run", "net.ts#own", "--grad", "--input", "x=x.npy", "--input", "g=w.npy", "--output", "y.npz")).toBe("2 grad-input");
}, 60_000);
