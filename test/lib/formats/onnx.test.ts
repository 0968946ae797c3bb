import fc from "fast-check";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isOnnx, ndarray, readOnnx, writeOnnx, type OnnxModel } from "../../../src/lib/formats/index.js";
import * as proto from "../../../src/lib/formats/protobuf.js";
import { everyDtype } from "./every-dtype.js";
import { refusal } from "./refusal.js";

const model: OnnxModel = {
  irVersion: 8,
  opset: 17,
  producer: "test",
  graph: {
    name: "all",
    nodes: [
      {
        name: "n", op: "Any", domain: "", inputs: ["x", "", "f32"], outputs: ["y", "z"],
        attributes: {
          f: { kind: "float", value: 0.5 }, i: { kind: "int", value: -3 }, s: { kind: "string", value: "é" }, t: { kind: "tensor", value: ndarray(new Int32Array([1, 2])) },
          fs: { kind: "floats", value: [1.5, -2] }, is: { kind: "ints", value: [-1, 0, 2 ** 40, 2 ** 63, -(2 ** 63)] }, ss: { kind: "strings", value: ["a", ""] },
        },
      },
      { name: "", op: "Own", domain: "my.domain", inputs: ["y"], outputs: ["w"], attributes: {} },
    ],
    initializers: everyDtype,
    inputs: [{ name: "x", dtype: "float32", shape: [1, "n", undefined] }, { name: "open", dtype: "int64", shape: undefined }],
    outputs: [{ name: "w", dtype: "float32", shape: [] }],
  },
};

/** What a message without an attribute of the reader's own would look like. */
const plain = (m: OnnxModel): OnnxModel => structuredClone({ ...m, graph: { ...m.graph, initializers: { ...m.graph.initializers }, nodes: m.graph.nodes.map((node) => ({ ...node, attributes: { ...node.attributes } })) } });

describe("ONNX files", () => {
  test("a model comes back as it was, with every type of elements and attributes", () => {
    const bytes = writeOnnx(model);
    expect(isOnnx(bytes)).toBe(true);
    expect(plain(readOnnx(bytes))).toEqual(plain(model));
    expect(writeOnnx(readOnnx(bytes))).toEqual(bytes);
  });

  test("an attribute that is no 64-bit integer is refused", () => {
    for (const value of [0.5, Number.NaN, 2 ** 64]) {
      const node = { ...model.graph.nodes[1], attributes: { i: { kind: "int" as const, value } } };
      expect(refusal(() => writeOnnx({ ...model, graph: { ...model.graph, nodes: [node] } }))).toBe("format-onnx");
    }
  });

  test("real files, written again, are read the same", () => {
    for (const name of ["u2netp/u2netp.onnx", "meshnet/onnx/model.onnx"]) {
      const read = readOnnx(readFileSync(new URL(`../../../data/weights/${name}`, import.meta.url)));
      const again = readOnnx(writeOnnx(read));
      expect({ ...again, graph: { ...again.graph, initializers: {} } }).toEqual({ ...read, graph: { ...read.graph, initializers: {} } });
      expect(Object.keys(again.graph.initializers)).toEqual(Object.keys(read.graph.initializers));
      for (const [key, { data, shape }] of Object.entries(read.graph.initializers)) {
        expect(again.graph.initializers[key].shape).toEqual(shape);
        expect(Buffer.compare(new Uint8Array(again.graph.initializers[key].data.slice().buffer), new Uint8Array(data.slice().buffer))).toBe(0);
      }
    }
  });

  /** A model with one initializer, given as fields. */
  const withTensor = (...fields: proto.Part[]): Uint8Array => proto.join([proto.int(1, 8), proto.message(7, [proto.message(5, [...fields, proto.text(8, "t")])]), proto.message(8, [proto.int(2, 17)])]);
  const packed = (number: number, values: readonly bigint[]): proto.Part => proto.bytes(number, proto.join(values.map((v) => [proto.int(1, v)[0].subarray(1)])));

  test("elements listed in fields of their own, packed or one by one", () => {
    const floats = new Uint8Array(new Float32Array([1.5, -2]).buffer);
    expect(Array.from(readOnnx(withTensor(proto.int(1, 2), proto.int(2, 1), proto.bytes(4, floats))).graph.initializers["t"].data, Number)).toEqual([1.5, -2]);
    expect(Array.from(readOnnx(withTensor(proto.int(1, 2), proto.int(2, 1), proto.float(4, 1.5), proto.float(4, -2))).graph.initializers["t"].data, Number)).toEqual([1.5, -2]);
    expect(Array.from(readOnnx(withTensor(packed(1, [3n]), proto.int(2, 7), packed(7, [1n, -1n, 2n ** 40n]))).graph.initializers["t"].data, Number)).toEqual([1, -1, 2 ** 40]);
    expect(Array.from(readOnnx(withTensor(proto.int(1, 2), proto.int(2, 3), packed(5, [-5n, 7n]))).graph.initializers["t"].data, Number)).toEqual([-5, 7]);
    // Half floats are their bits.
    expect(Array.from(readOnnx(withTensor(proto.int(1, 2), proto.int(2, 10), packed(5, [0x3c00n, 0xc100n]))).graph.initializers["t"].data, Number)).toEqual([1, -2.5]);
  });

  test.each<[string, Uint8Array, string]>([
    ["fewer elements than the shape has", withTensor(proto.int(1, 3), proto.int(2, 1), proto.float(4, 1)), "format-onnx"],
    ["fewer bytes than the shape has", withTensor(proto.int(1, 3), proto.int(2, 1), proto.bytes(9, new Uint8Array(4))), "format-onnx"],
    ["complex elements", withTensor(proto.int(1, 1), proto.int(2, 14)), "format-dtype"],
    ["a negative extent", withTensor(proto.int(1, -1), proto.int(2, 1), proto.bytes(9, new Uint8Array(0))), "format-shape"],
    ["no graph", proto.join([proto.int(1, 8), proto.message(8, [proto.int(2, 17)])]), "format-onnx"],
    ["no version of the operators", proto.join([proto.int(1, 8), proto.message(7, [])]), "format-onnx"],
    ["nothing that is protobuf", new Uint8Array([0x0f, 1, 2]), "format-protobuf"],
  ])("refuses a model with %s", (_, bytes, code) => {
    expect(refusal(() => readOnnx(bytes))).toBe(code);
  });
});

describe("protobuf", () => {
  test("numbers of any size come back", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.integer({ min: 1, max: 0x1fffffff }), (value, number) => {
        const [field] = proto.fieldsOf(proto.join([proto.int(number, value)]));
        expect(field.number).toBe(number);
        expect(proto.bigintOf(field)).toBe(value);
      }),
    );
  });

  test("fields of all kinds come back in their order", () => {
    const fields = proto.fieldsOf(proto.join([proto.text(3, "äb"), proto.float(2, 1.25), proto.message(9, [proto.int(1, 5), proto.text(2, "")]), proto.bytes(1, Uint8Array.of(1, 2))]));
    expect(fields.map(({ number }) => number)).toEqual([3, 2, 9, 1]);
    expect(proto.textOf(fields[0])).toBe("äb");
    expect(proto.floatsOf(fields[1])).toEqual([1.25]);
    expect(proto.fieldsOf(proto.bytesOf(fields[2])).map(({ number }) => number)).toEqual([1, 2]);
    expect(refusal(() => proto.bytesOf(fields[1]))).toBe("format-protobuf");
    expect(refusal(() => proto.numberOf(fields[0]))).toBe("format-protobuf");
  });

  test.each([
    ["a length beyond the end", [0x0a, 5, 1]],
    ["a number without end", [0x08, 0xff, 0xff]],
    ["a number of eleven bytes", [0x08, ...Array<number>(10).fill(0xff), 1]],
    ["a group", [0x0b]],
    ["field 0", [0x00, 1]],
    ["a length of 2^63", [0x0a, ...Array<number>(9).fill(0xff), 1]],
  ])("refuses %s", (_, bytes) => {
    expect(refusal(() => proto.fieldsOf(Uint8Array.from(bytes)))).toBe("format-protobuf");
  });
});
