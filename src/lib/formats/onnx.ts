import { decodeElements, encodeElements, itemSize } from "./elements.js";
import { elementCount, emptyRecord, ndarray, refuse, type Arrays, type DType, type NdArray } from "./ndarray.js";
import * as proto from "./protobuf.js";

/** An attribute of a node. Graphs, sparse tensors and types are `other`: no operator read here has one. */
export type OnnxAttribute =
  | { readonly kind: "float" | "int"; readonly value: number }
  | { readonly kind: "floats" | "ints"; readonly value: readonly number[] }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "strings"; readonly value: readonly string[] }
  | { readonly kind: "tensor"; readonly value: NdArray }
  | { readonly kind: "other"; readonly value: string };

export interface OnnxNode {
  /** May be empty. */
  readonly name: string;
  readonly op: string;
  /** Empty for the standard operators. */
  readonly domain: string;
  /** Names of values; "" for an optional input that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** An input or output of a graph. An extent is a number, the name of a symbol, or undefined. */
export interface OnnxValue {
  readonly name: string;
  readonly dtype: DType | undefined;
  readonly shape: readonly (number | string | undefined)[] | undefined;
}

export interface OnnxGraph {
  readonly name: string;
  /** In an order in which each reads what is before it. */
  readonly nodes: readonly OnnxNode[];
  readonly initializers: Readonly<Arrays>;
  /** Without those that an initializer gives. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

export interface OnnxModel {
  readonly irVersion: number;
  /** Version of the standard operators. */
  readonly opset: number;
  readonly producer: string;
  readonly graph: OnnxGraph;
}

const bad = (what: string): never => refuse("format-onnx", `the ONNX model is malformed: ${what}`, "Check it with onnx.checker, or export it again.");

/** TensorProto.DataType. */
const types: Readonly<Record<number, DType>> = {
  1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64",
  16: "bfloat16", 17: "float8_e4m3", 19: "float8_e5m2",
};
const codes = new Map(Object.entries(types).map(([code, dtype]) => [dtype, Number(code)]));

/**
 * Whether these bytes can be an ONNX model. The format has no magic number, so this asks whether they are a protobuf message
 * with an IR version in field 1, a graph in field 7 and operator sets in field 8, and nothing that a model has no field for.
 */
export const isOnnx = (bytes: Uint8Array): boolean => {
  if (bytes[0] !== 0x08 || bytes.length < 4) return false;
  try {
    const fields = proto.fieldsOf(bytes);
    const has = (number: number): boolean => fields.some((field) => field.number === number && "bytes" in field);
    return has(7) && has(8) && fields.every(({ number }) => number <= 32);
  } catch {
    return false;
  }
};

/**
 * Reads an ONNX model: the graph, and its initializers as arrays that may share memory with `bytes`. Operators are not looked at here.
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 * @throws `format-onnx`, `format-protobuf`, `format-onnx-external` for weights in another file, `format-dtype`, `format-truncated`, `format-shape`
 */
export const readOnnx = (bytes: Uint8Array): OnnxModel => {
  const fields = proto.fieldsOf(bytes);
  const opsets = fields.filter(({ number }) => number === 8).map((field) => opsetOf(proto.bytesOf(field)));
  const graph = fields.findLast(({ number }) => number === 7) ?? bad("it has no graph");
  return {
    irVersion: lastNumber(fields, 1) ?? bad("it states no IR version"),
    opset: opsets.find(({ domain }) => domain === "" || domain === "ai.onnx")?.version ?? bad("it states no version of the standard operators"),
    producer: lastText(fields, 2) ?? "",
    graph: graphOf(proto.bytesOf(graph)),
  };
};

const lastOf = (fields: readonly proto.Field[], number: number): proto.Field | undefined => fields.findLast((field) => field.number === number);
const lastNumber = (fields: readonly proto.Field[], number: number): number | undefined => {
  const field = lastOf(fields, number);
  return field && proto.numberOf(field);
};
const lastText = (fields: readonly proto.Field[], number: number): string | undefined => {
  const field = lastOf(fields, number);
  return field && proto.textOf(field);
};

const opsetOf = (bytes: Uint8Array): { domain: string; version: number } => {
  const fields = proto.fieldsOf(bytes);
  return { domain: lastText(fields, 1) ?? "", version: lastNumber(fields, 2) ?? 0 };
};

const graphOf = (bytes: Uint8Array): OnnxGraph => {
  const nodes: OnnxNode[] = [];
  const initializers = emptyRecord<NdArray>();
  const inputs: OnnxValue[] = [];
  const outputs: OnnxValue[] = [];
  let name = "";
  for (const field of proto.fieldsOf(bytes)) {
    switch (field.number) {
      case 1: nodes.push(nodeOf(proto.bytesOf(field))); break;
      case 2: name = proto.textOf(field); break;
      case 5: {
        const tensor = tensorOf(proto.bytesOf(field));
        if (tensor.name in initializers) bad(`two initializers are called ${tensor.name}`);
        initializers[tensor.name] = tensor.array;
        break;
      }
      case 11: inputs.push(valueOf(proto.bytesOf(field))); break;
      case 12: outputs.push(valueOf(proto.bytesOf(field))); break;
      case 15: refuse("format-dtype", "the ONNX model has sparse initializers, which are not read", "Export it with dense weights.");
    }
  }
  return { name, nodes, initializers, inputs: inputs.filter((input) => !(input.name in initializers)), outputs };
};

const nodeOf = (bytes: Uint8Array): OnnxNode => {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = emptyRecord<OnnxAttribute>();
  let [name, op, domain] = ["", "", ""];
  for (const field of proto.fieldsOf(bytes)) {
    switch (field.number) {
      case 1: inputs.push(proto.textOf(field)); break;
      case 2: outputs.push(proto.textOf(field)); break;
      case 3: name = proto.textOf(field); break;
      case 4: op = proto.textOf(field); break;
      case 5: {
        const attribute = attributeOf(proto.bytesOf(field));
        attributes[attribute.name] = attribute.value;
        break;
      }
      case 7: domain = proto.textOf(field); break;
    }
  }
  if (op === "") bad(`a node${name ? ` ${name}` : ""} without an operator`);
  return { name, op, domain: domain === "ai.onnx" ? "" : domain, inputs, outputs, attributes };
};

const kinds = { 1: "float", 2: "int", 3: "string", 4: "tensor", 6: "floats", 7: "ints", 8: "strings" } as const;

const attributeOf = (bytes: Uint8Array): { name: string; value: OnnxAttribute } => {
  const fields = proto.fieldsOf(bytes);
  const each = (number: number): proto.Field[] => fields.filter((field) => field.number === number);
  const name = lastText(fields, 1) ?? bad("an attribute without a name");
  const type = lastNumber(fields, 20) ?? 0;
  // Old files state no type: then the field that is there says it.
  const kind = type === 0 ? ([["float", 2], ["int", 3], ["string", 4], ["tensor", 5], ["floats", 7], ["ints", 8], ["strings", 9]] as const).find(([, n]) => each(n).length > 0)?.[0] : kinds[type as keyof typeof kinds];
  switch (kind) {
    case "float": return { name, value: { kind, value: proto.floatsOf(lastOf(fields, 2) ?? bad(`attribute ${name} has no value`))[0] ?? 0 } };
    case "int": return { name, value: { kind, value: lastNumber(fields, 3) ?? 0 } };
    case "string": return { name, value: { kind, value: lastText(fields, 4) ?? "" } };
    case "tensor": return { name, value: { kind, value: tensorOf(proto.bytesOf(lastOf(fields, 5) ?? bad(`attribute ${name} has no value`))).array } };
    case "floats": return { name, value: { kind, value: each(7).flatMap((field) => proto.floatsOf(field)) } };
    case "ints": return { name, value: { kind, value: each(8).flatMap((field) => proto.bigintsOf(field)).map(Number) } };
    case "strings": return { name, value: { kind, value: each(9).map(proto.textOf) } };
    default: return { name, value: { kind: "other", value: `of type ${type}` } };
  }
};

const tensorOf = (bytes: Uint8Array): { name: string; array: NdArray } => {
  const fields = proto.fieldsOf(bytes);
  const name = lastText(fields, 8) ?? "";
  const each = (number: number): proto.Field[] => fields.filter((field) => field.number === number);
  const shape = each(1).flatMap(proto.bigintsOf).map(Number);
  const code = lastNumber(fields, 2) ?? 0;
  const dtype = types[code] ?? refuse("format-dtype", `the tensor ${name} of the ONNX model is of type ${code}`, "Convert it to a type of numbers.");
  if (lastNumber(fields, 14) === 1) refuse("format-onnx-external", `the tensor ${name} of the ONNX model is stored in another file`, "Save the model in one file: onnx.save_model(model, path, save_as_external_data=False).");
  const count = elementCount(shape);
  const raw = lastOf(fields, 9);
  if (raw) {
    const stored = proto.bytesOf(raw);
    if (stored.length !== count * itemSize[dtype]) bad(`the tensor ${name} of shape [${shape.join(", ")}] has ${stored.length} bytes, not ${count * itemSize[dtype]}`);
    return { name, array: decodeElements(stored, dtype, shape) };
  }
  return { name, array: listed(name, dtype, shape, count, each) };
};

/** Elements as fields of the message: `float_data` 4, `int32_data` 5, `int64_data` 7, `double_data` 10, `uint64_data` 11. */
const listed = (name: string, dtype: DType, shape: readonly number[], count: number, each: (number: number) => proto.Field[]): NdArray => {
  const whole = (number: number): bigint[] => each(number).flatMap(proto.bigintsOf);
  const sized = <T extends { readonly length: number }>(values: T): T => (values.length === count ? values : bad(`the tensor ${name} of shape [${shape.join(", ")}] has ${values.length} elements, not ${count}`));
  switch (dtype) {
    case "float32": return ndarray(Float32Array.from(sized(each(4).flatMap((field) => proto.floatsOf(field)))), shape);
    case "float64": return ndarray(Float64Array.from(sized(each(10).flatMap((field) => proto.floatsOf(field, 8)))), shape);
    case "int64": return ndarray(BigInt64Array.from(sized(whole(7))), shape);
    case "uint64": return ndarray(BigUint64Array.from(sized(whole(11)), (value) => BigInt.asUintN(64, value)), shape);
    case "uint32": return ndarray(Uint32Array.from(sized(whole(11)), Number), shape);
    default: {
      // Small integers, booleans, and the bits of small floats, each in an int32.
      const size = itemSize[dtype];
      const stored = new Uint8Array(sized(whole(5)).length * size);
      const view = new DataView(stored.buffer);
      whole(5).forEach((value, n) => {
        if (size === 1) view.setUint8(n, Number(BigInt.asUintN(8, value)));
        else if (size === 2) view.setUint16(2 * n, Number(BigInt.asUintN(16, value)), true);
        else view.setUint32(4 * n, Number(BigInt.asUintN(32, value)), true);
      });
      return decodeElements(stored, dtype, shape);
    }
  }
};

const valueOf = (bytes: Uint8Array): OnnxValue => {
  const fields = proto.fieldsOf(bytes);
  const name = lastText(fields, 1) ?? bad("an input or output without a name");
  const type = lastOf(fields, 2);
  const tensor = type && lastOf(proto.fieldsOf(proto.bytesOf(type)), 1);
  if (!tensor) return { name, dtype: undefined, shape: undefined };
  const inner = proto.fieldsOf(proto.bytesOf(tensor));
  const shape = lastOf(inner, 2);
  return {
    name,
    dtype: types[lastNumber(inner, 1) ?? 0],
    shape: shape && proto.fieldsOf(proto.bytesOf(shape)).filter(({ number }) => number === 1).map((extent) => {
      const dimension = proto.fieldsOf(proto.bytesOf(extent));
      const value = lastNumber(dimension, 1);
      return value !== undefined && value >= 0 ? value : lastText(dimension, 2);
    }),
  };
};

/**
 * An ONNX model as bytes. Equal input, equal output.
 * @throws `format-shape`, `format-dtype`
 */
export const writeOnnx = ({ irVersion, opset, producer, graph }: OnnxModel): Uint8Array =>
  proto.join([
    proto.int(1, irVersion),
    proto.text(2, producer),
    proto.message(7, [
      ...graph.nodes.map((node) => proto.message(1, nodeParts(node))),
      proto.text(2, graph.name),
      ...Object.entries(graph.initializers).map(([name, array]) => proto.message(5, tensorParts(name, array))),
      ...graph.inputs.map((value) => proto.message(11, valueParts(value))),
      ...graph.outputs.map((value) => proto.message(12, valueParts(value))),
    ]),
    proto.message(8, [proto.text(1, ""), proto.int(2, opset)]),
  ]);

const nodeParts = ({ name, op, domain, inputs, outputs, attributes }: OnnxNode): proto.Part[] => [
  ...inputs.map((input) => proto.text(1, input)),
  ...outputs.map((output) => proto.text(2, output)),
  proto.text(3, name),
  proto.text(4, op),
  ...Object.entries(attributes).map(([key, attribute]) => proto.message(5, [proto.text(1, key), ...attributeParts(key, attribute)])),
  ...(domain === "" ? [] : [proto.text(7, domain)]),
];

const attributeParts = (key: string, attribute: OnnxAttribute): proto.Part[] => {
  switch (attribute.kind) {
    case "float": return [proto.float(2, attribute.value), proto.int(20, 1)];
    case "int": return [proto.int(3, int64(key, attribute.value)), proto.int(20, 2)];
    case "string": return [proto.text(4, attribute.value), proto.int(20, 3)];
    case "tensor": return [proto.message(5, tensorParts("", attribute.value)), proto.int(20, 4)];
    case "floats": return [...attribute.value.map((value) => proto.float(7, value)), proto.int(20, 6)];
    case "ints": return [...attribute.value.map((value) => proto.int(8, int64(key, value))), proto.int(20, 7)];
    case "strings": return [...attribute.value.map((value) => proto.text(9, value)), proto.int(20, 8)];
    case "other": return refuse("format-dtype", `the attribute ${key} is ${attribute.value}, which is not written`);
  }
};

/** The largest int64, "to the end" in a Slice, is 2^63 as a number: it goes back to what it was. */
const int64 = (key: string, value: number): bigint => {
  if (!Number.isInteger(value) || Math.abs(value) > 2 ** 63) refuse("format-onnx", `the attribute ${key} is ${value}, which is no 64-bit integer`);
  return value === 2 ** 63 ? 2n ** 63n - 1n : BigInt(value);
};

const codeOf = (dtype: DType): number => codes.get(dtype) ?? refuse("format-dtype", `ONNX has no code for ${dtype}`);

const tensorParts = (name: string, array: NdArray): proto.Part[] => {
  if (elementCount(array.shape) !== array.data.length) refuse("format-shape", `${name}: shape [${array.shape.join(", ")}] does not have ${array.data.length} elements`);
  return [...array.shape.map((extent) => proto.int(1, extent)), proto.int(2, codeOf(array.dtype)), proto.text(8, name), proto.bytes(9, encodeElements(array))];
};

const valueParts = ({ name, dtype, shape }: OnnxValue): proto.Part[] => {
  const extents = shape?.map((extent) => proto.message(1, extent === undefined ? [] : [typeof extent === "number" ? proto.int(1, extent) : proto.text(2, extent)]));
  const tensor = [proto.int(1, codeOf(dtype ?? "float32")), ...(extents ? [proto.message(2, extents)] : [])];
  return [proto.text(1, name), proto.message(2, [proto.message(1, tensor)])];
};
