import { readFileSync } from "node:fs";
import { deflateSync } from "fflate";
import { describe, expect, test } from "vitest";
import { IndexicalError } from "../../../src/dsl/errors.js";
import { gunzip, gzip, ndarray, readArrays, readLayersModel, readNifti, readNpz, readOnnx, readTorch, readWeights, writeNifti, writeNpy, writeNpz, writeOnnx, writeSafetensors, type Arrays } from "../../../src/lib/formats/index.js";
import { readDicomSlice } from "../../../src/lib/formats/dicom.js";
import { inflate } from "../../../src/lib/formats/inflate.js";
import { readZipEntry, writeZip, zipEntries } from "../../../src/lib/formats/zip.js";
import { importOnnx } from "../../../src/lib/onnx/index.js";
import { cases, modelOf } from "../onnx/cases.js";
import { syntaxes, writeDicom } from "../volumes/dicom-writer.js";
import { dice, mutated } from "./mutate.js";
import { refusal } from "./refusal.js";

const sample = (name: string): Uint8Array => readFileSync(new URL(`samples/${name}`, import.meta.url));
const tfjs = (name: string): Uint8Array => readFileSync(new URL(`../../../data/weights/meshnet/model5_gw_ae/${name}`, import.meta.url));

const arrays: Arrays = { a: ndarray(new Float32Array([1, 2, 3, 4, 5, 6]), [2, 3]), b: ndarray(new Float32Array([1, 2]), [2], "bfloat16"), c: ndarray(new BigInt64Array([7n]), []) };
const withoutHalf: Arrays = { a: arrays["a"], c: arrays["c"] };

/** The network of a ResNet's block, with arithmetic on its shapes, so that every part of the reader has something to do. */
const model = (): Uint8Array => {
  const conv = modelOf(cases.find(({ name }) => name === "Conv 2D depthwise")!).model;
  const [node] = conv.graph.nodes;
  const weight = (count: number, shape: readonly number[]) => ndarray(new Float32Array(count).fill(0.5), shape);
  return writeOnnx({
    ...conv,
    graph: {
      ...conv.graph,
      inputs: [{ name: "x", dtype: "float32", shape: [1, 4, 6, 6] }],
      initializers: { w: weight(36, [4, 1, 3, 3]), b: weight(4, [4]), at: ndarray(BigInt64Array.of(0n)), rest: ndarray(BigInt64Array.of(-1n)) },
      nodes: [
        { ...node, inputs: ["x", "w", "b"], outputs: ["y"] },
        { name: "relu", op: "Relu", domain: "", inputs: ["y"], outputs: ["r"], attributes: {} },
        { name: "pool", op: "AveragePool", domain: "", inputs: ["r"], outputs: ["p"], attributes: { kernel_shape: { kind: "ints", value: [2, 2] }, strides: { kind: "ints", value: [2, 2] }, pads: { kind: "ints", value: [1, 0, 1, 0] } } },
        { name: "shape", op: "Shape", domain: "", inputs: ["p"], outputs: ["s"], attributes: {} },
        { name: "first", op: "Gather", domain: "", inputs: ["s", "at"], outputs: ["n"], attributes: { axis: { kind: "int", value: 0 } } },
        { name: "target", op: "Concat", domain: "", inputs: ["n", "rest"], outputs: ["t"], attributes: { axis: { kind: "int", value: 0 } } },
        { name: "flat", op: "Reshape", domain: "", inputs: ["p", "t"], outputs: ["z"], attributes: {} },
      ],
      outputs: [{ name: "z", dtype: "float32", shape: undefined }],
    },
  });
};

/** A zip archive, one of whose files is changed inside, so that its checksum holds. */
const inside = (archive: Uint8Array, name: string, change: (bytes: Uint8Array) => Uint8Array): Uint8Array =>
  writeZip(zipEntries(archive).map((entry) => [entry.name, entry.name.endsWith(name) ? change(readZipEntry(archive, entry)) : readZipEntry(archive, entry)] as const), false);

const dicom = (syntax: string): Uint8Array => writeDicom({ rows: 3, columns: 4, pixels: Array.from({ length: 12 }, (_, n) => n), position: [1, 2, 3], sequences: true, thickness: 2, slope: 2, intercept: -5 }, syntax);
const nifti = gunzip(sample("two_u2.nii.gz"));
const json = tfjs("model.json");
const shard = tfjs("group1-shard1of1.bin");
const layers = (bytes: Uint8Array): unknown => readLayersModel(bytes, new Map([["group1-shard1of1.bin", shard]]));

/** What is damaged, and what reads it. */
const formats: readonly (readonly [name: string, file: Uint8Array, read: (bytes: Uint8Array) => unknown])[] = [
  ["npy", writeNpy(arrays["a"]), (bytes) => readArrays(bytes)],
  ["npy in Fortran order, big endian", sample("big_fortran_f8.npy"), (bytes) => readArrays(bytes)],
  ["npz", writeNpz(withoutHalf), (bytes) => readArrays(bytes)],
  ["npz, deflated", sample("deflated.npz"), (bytes) => readArrays(bytes)],
  ["an array in npz", writeNpy(arrays["a"]), (bytes) => readArrays(writeZip([["a.npy", bytes]], true))],
  ["safetensors", writeSafetensors(arrays, { format: "pt" }), (bytes) => readWeights(bytes)],
  ["gzip", gzip(writeSafetensors(arrays)), (bytes) => readWeights(bytes)],
  ["deflate", deflateSync(writeSafetensors(arrays)), (bytes) => inflate(bytes, 0, 0, { maxBytes: 2 ** 20 })],
  ["NIfTI-1", sample("scaled.nii"), (bytes) => readNifti(bytes)],
  ["NIfTI-1, qform", sample("qform.nii"), (bytes) => readNifti(bytes)],
  ["NIfTI-2", sample("two_big_f8.nii"), (bytes) => readNifti(bytes)],
  ["NIfTI in gzip", sample("two_u2.nii.gz"), (bytes) => readNifti(bytes)],
  ["NIfTI below gzip", nifti, (bytes) => readNifti(gzip(bytes))],
  ["PyTorch", sample("torch.pth"), (bytes) => readWeights(bytes)],
  ["the pickle of PyTorch", readZipEntry(sample("torch.pth"), zipEntries(sample("torch.pth")).find(({ name }) => name.endsWith("data.pkl"))!), (bytes) => readTorch(inside(sample("torch.pth"), "data.pkl", () => bytes))],
  ["the pickle of PyTorch, protocol 4", readZipEntry(sample("torch4.pth"), zipEntries(sample("torch4.pth")).find(({ name }) => name.endsWith("data.pkl"))!), (bytes) => readTorch(inside(sample("torch4.pth"), "data.pkl", () => bytes))],
  ["legacy PyTorch", sample("legacy.pth"), (bytes) => readTorch(bytes)],
  ["ONNX", model(), (bytes) => readOnnx(bytes)],
  ["ONNX as a program", model(), (bytes) => importOnnx(readOnnx(bytes))],
  ["tfjs model.json", json, layers],
  ["tfjs weights", shard, (bytes) => readLayersModel(json, new Map([["group1-shard1of1.bin", bytes]]))],
  ...Object.entries(syntaxes).map(([name, syntax]) => [`DICOM, ${name}`, dicom(syntax), (bytes: Uint8Array) => readDicomSlice(bytes, { maxBytes: 2 ** 20 })] as const),
];

/** Bytes that are held by what a reader gave. */
const held = (value: unknown, seen = new Set<unknown>()): number => {
  if (ArrayBuffer.isView(value)) return seen.has(value.buffer) ? 0 : (seen.add(value.buffer), value.byteLength);
  if (typeof value !== "object" || value === null || seen.has(value)) return 0;
  seen.add(value);
  return Object.values(value).reduce<number>((sum, item) => sum + held(item, seen), 0);
};

describe("2,000 damaged files of each format are read or refused", () => {
  test.each(formats)("%s", (name, file, read) => {
    expect(() => read(file)).not.toThrow();
    const draw = dice(name.length * 7919 + file.length);
    const codes = new Map<string, number>();
    for (let n = 0; n < 2000; n++) {
      const damaged = mutated(file, draw);
      let code = "read";
      try {
        const value = read(damaged);
        expect(held(value)).toBeLessThanOrEqual(2 ** 20 + 1100 * Math.max(damaged.length, file.length));
      } catch (error) {
        if (!(error instanceof IndexicalError)) throw new Error(`${name}, mutation ${n}: ${String(error)}`, { cause: error });
        code = error.code;
      }
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    // Some are found out: a reader that takes everything reads nothing.
    expect([...codes.keys()].some((code) => code !== "read")).toBe(true);
    expect(Object.keys({})).toEqual([]);
    expect(({} as Record<string, unknown>)["dtype"]).toBeUndefined();
  }, 120_000);
});

describe("files that were made to do harm", () => {
  const zip = (files: readonly (readonly [string, Uint8Array])[]): Uint8Array => writeZip(files, true);

  test("a gzip bomb is refused at the limit", () => {
    const bomb = gzip(new Uint8Array(2 ** 24));
    expect(bomb.length).toBeLessThan(2 ** 15);
    expect(refusal(() => gunzip(bomb, { maxBytes: 2 ** 20 }))).toBe("format-too-large");
    expect(refusal(() => readNifti(bomb, { maxBytes: 2 ** 20 }))).toBe("format-too-large");
    expect(refusal(() => readWeights(bomb, { maxBytes: 2 ** 20 }))).toBe("format-too-large");
  });

  test("so are a zip bomb, and many small bombs in one archive", () => {
    const zeros = writeNpy(ndarray(new Uint8Array(2 ** 20)));
    expect(refusal(() => readNpz(zip([["a.npy", zeros]]), { maxBytes: 2 ** 16 }))).toBe("format-too-large");
    const many = zip(Array.from({ length: 40 }, (_, n) => [`${n}.npy`, zeros] as const));
    expect(refusal(() => readNpz(many, { maxBytes: 2 ** 22 }))).toBe("format-too-large");
  });

  test("weights of PyTorch that are compressed beyond what weights can be", () => {
    const file = sample("torch.pth");
    const entries = zipEntries(file).map((entry) => [entry.name, entry.name.endsWith("data/0") ? new Uint8Array(2 ** 24) : readZipEntry(file, entry)] as const);
    expect(refusal(() => readWeights(zip(entries)))).toBe("format-too-large");
  });

  test("names that lead elsewhere are names and nothing more; those of shards are refused", () => {
    const read = readNpz(zip([["../../etc/passwd.npy", writeNpy(arrays["a"])], ["__proto__.npy", writeNpy(arrays["a"])], ["constructor.npy", writeNpy(arrays["a"])]]));
    expect(Object.keys(read).sort()).toEqual(["../../etc/passwd", "__proto__", "constructor"]);
    expect(Object.getPrototypeOf(read)).toBeNull();
    expect(({} as { shape?: unknown }).shape).toBeUndefined();
  });

  const pickled = (...parts: (string | number[])[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => (typeof part === "string" ? [...Buffer.from(part, "latin1")] : part)));
  const archived = (pickle: Uint8Array): Uint8Array => zip([["x/data.pkl", pickle]]);

  test("a pickle whose lists hold each other a billion times", () => {
    // l0 = [], l1 = [l0, l0, ...], ...: 10 to the 12th leaves in some hundred bytes.
    const levels = Array.from({ length: 12 }, (_, n) => ["]", [0x71, n + 1], ...Array.from({ length: 10 }, () => [[0x68, n], "a"]).flat()] as (string | number[])[]);
    expect(refusal(() => readTorch(archived(pickled([0x80, 2], "]", [0x71, 0], ...levels.flat(), "."))))).toBe("format-torch");
  });

  test("a pickle of a list that holds itself, and one of lists in lists in lists", () => {
    expect(refusal(() => readTorch(archived(pickled([0x80, 2], "]", [0x71, 0], [0x68, 0], "a."))))).toBe("format-torch");
    expect(refusal(() => readTorch(archived(pickled([0x80, 2], "(".repeat(5000), "t".repeat(5000), "."))))).toBe("format-pickle");
    expect(refusal(() => readTorch(archived(pickled([0x80, 2], "]".repeat(5000), "a".repeat(4999), "."))))).toBe("format-torch");
  });

  test.each([
    ["os.system", "cos\nsystem\n(S'echo harm'\ntR."],
    ["builtins.eval", "cbuiltins\neval\n(S'1'\ntR."],
    ["torch.load", "ctorch\nload\n(S'x'\ntR."],
    ["torch.storage._load_from_bytes", "ctorch.storage\n_load_from_bytes\n(S'x'\ntR."],
    ["__builtin__.getattr", "c__builtin__\ngetattr\n(S'x'\ntR."],
  ])("a pickle that calls %s", (name, text) => {
    expect(refusal(() => readTorch(archived(pickled(text))))).toBe("format-pickle-class");
    expect(() => readTorch(archived(pickled(text)))).toThrow(name);
  });

  test.each([
    ["INST", "(S'x'\nios\nsystem\n."],
    ["an extension", [0x82, 1]],
    ["a call of a number", "I1\n(tR."],
    ["attributes of a list", "](dp0\nb."],
    ["a slot that is empty", "h\x07."],
    ["a number without end", `L${"9".repeat(100)}L\n.`],
  ])("a pickle with %s", (_, text) => {
    expect(refusal(() => readTorch(archived(pickled(text))))).toBe("format-pickle");
  });

  test("dictionaries of a pickle cannot reach a prototype", () => {
    const { tensors } = readTorch(archived(pickled("}(S'__proto__'\n}S'polluted'\nI1\nsu.")));
    expect(Object.keys(tensors)).toEqual([]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test("ONNX weights in another file are not followed", () => {
    // TensorProto with data_location EXTERNAL (field 14 = 1) and external_data location "../../etc/passwd".
    const location = Buffer.from("../../etc/passwd");
    const entry = [0x0a, 8, ...Buffer.from("location"), 0x12, location.length, ...location];
    const tensor = [0x08, 1, 0x10, 1, 0x42, 1, 0x77, 0x6a, entry.length, ...entry, 0x70, 1];
    const graph = [0x2a, tensor.length, ...tensor];
    expect(refusal(() => readOnnx(Uint8Array.from([0x08, 8, 0x3a, graph.length, ...graph, 0x42, 2, 0x10, 17])))).toBe("format-onnx-external");
  });

  test("a DICOM file of sequences in sequences", () => {
    const start = dicom(syntaxes.implicit);
    const meta = start.subarray(0, Buffer.from(start).indexOf(Buffer.from([0x08, 0, 0x16, 0])));
    const level = [0x08, 0, 0x40, 0x11, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xff, 0, 0xe0, 0xff, 0xff, 0xff, 0xff];
    const deep = Uint8Array.from([...meta, ...Array.from({ length: 20_000 }, () => level).flat()]);
    expect(refusal(() => readDicomSlice(deep))).toBe("format-dicom");
  });

  test("a NIfTI header that promises more voxels than there are bytes", () => {
    const file = writeNifti({ data: new Uint8Array(8), shape: [2, 2, 2] });
    const view = new DataView(file.buffer);
    for (const axis of [1, 2, 3, 4, 5, 6, 7]) view.setInt16(40 + 2 * axis, 32767, true);
    view.setInt16(40, 7, true);
    expect(["format-shape", "format-truncated"]).toContain(refusal(() => readNifti(file)));
  });

  test("an ONNX graph of a hundred thousand parts of one, and one whose arithmetic would take years", () => {
    const base = readOnnx(model());
    const node = (op: string, inputs: readonly string[], output: string) => ({ name: output, op, domain: "", inputs, outputs: [output], attributes: {} });
    const i = (...values: number[]) => ndarray(BigInt64Array.from(values, BigInt));
    const huge = { ...base, graph: { ...base.graph, initializers: { big: i(2 ** 40, 2 ** 12) }, nodes: [node("ConstantOfShape", ["big"], "z")] } };
    const made = (() => {
      try {
        return importOnnx(huge).outputs["z"];
      } catch (error) {
        return error instanceof IndexicalError ? error.code : String(error);
      }
    })();
    expect(made).toEqual([2 ** 40, 2 ** 12]);
    // Each product is small; there are many.
    const nodes = Array.from({ length: 3000 }, (_, n) => node("MatMul", [n === 0 ? "m" : `v${n - 1}`, "m"], `v${n}`));
    const busy = { ...base, graph: { ...base.graph, initializers: { m: ndarray(new Int32Array(32 * 32).fill(1), [32, 32]) }, nodes, outputs: [{ name: "v2999", dtype: "int32" as const, shape: undefined }] } };
    expect(importOnnx(busy).outputs["v2999"]).toEqual([32, 32]);
  }, 60_000);
});
