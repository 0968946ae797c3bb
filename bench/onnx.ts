/** A writer for the few ONNX messages that the peers' models need (onnx.proto3, IR version 8, opset 17). */
type Field = { readonly tag: number; readonly bytes: Uint8Array } | { readonly tag: number; readonly value: bigint };

const varint = (n: bigint): number[] => {
  const out: number[] = [];
  let v = BigInt.asUintN(64, n);
  do {
    const low = Number(v & 127n);
    v >>= 7n;
    out.push(v > 0n ? low | 128 : low);
  } while (v > 0n);
  return out;
};

const message = (fields: readonly Field[]): Uint8Array => {
  const parts = fields.map((f) => {
    if ("value" in f) return Uint8Array.from([...varint(BigInt(f.tag) << 3n), ...varint(f.value)]);
    return join([Uint8Array.from([...varint((BigInt(f.tag) << 3n) | 2n), ...varint(BigInt(f.bytes.length))]), f.bytes]);
  });
  return join(parts);
};

const join = (parts: readonly Uint8Array[]): Uint8Array => {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
};

const text = (tag: number, s: string): Field => ({ tag, bytes: new TextEncoder().encode(s) });
const int = (tag: number, n: number): Field => ({ tag, value: BigInt(n) });
const sub = (tag: number, fields: readonly Field[]): Field => ({ tag, bytes: message(fields) });

export interface OnnxTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly ints?: Readonly<Record<string, readonly number[]>>;
  readonly int?: Readonly<Record<string, number>>;
}

export interface OnnxGraph {
  readonly inputs: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly nodes: readonly OnnxNode[];
  readonly weights: readonly (OnnxTensor | { readonly name: string; readonly ints: readonly number[] })[];
  readonly output: { readonly name: string; readonly shape: readonly number[] };
}

const float = 1;
const int64 = 7;

const weight = (w: OnnxGraph["weights"][number]): readonly Field[] => {
  if ("ints" in w) {
    const data = BigInt64Array.from(w.ints, BigInt);
    return [int(1, w.ints.length), int(2, int64), text(8, w.name), { tag: 9, bytes: new Uint8Array(data.buffer) }];
  }
  return [...w.shape.map((n) => int(1, n)), int(2, float), text(8, w.name), { tag: 9, bytes: new Uint8Array(w.data.buffer, w.data.byteOffset, w.data.byteLength) }];
};

const valueInfo = ({ name, shape }: { readonly name: string; readonly shape: readonly number[] }): readonly Field[] => [
  text(1, name),
  sub(2, [sub(1, [int(1, float), sub(2, shape.map((n) => sub(1, [int(1, n)])))])]),
];

const node = (n: OnnxNode): readonly Field[] => [
  ...n.inputs.map((i) => text(1, i)),
  text(2, n.output),
  text(3, n.output),
  text(4, n.op),
  ...Object.entries(n.ints ?? {}).map(([name, values]) => sub(5, [text(1, name), ...values.map((v) => int(8, v)), int(20, 7)])),
  ...Object.entries(n.int ?? {}).map(([name, v]) => sub(5, [text(1, name), int(3, v), int(20, 2)])),
];

/** The bytes of an ONNX model. */
export const writeOnnx = (g: OnnxGraph): Uint8Array =>
  message([
    int(1, 8),
    text(2, "indexical-bench"),
    sub(7, [
      ...g.nodes.map((n) => sub(1, node(n))),
      text(2, "bench"),
      ...g.weights.map((w) => sub(5, weight(w))),
      ...g.inputs.map((i) => sub(11, valueInfo(i))),
      sub(12, valueInfo(g.output)),
    ]),
    sub(8, [text(1, ""), int(2, 17)]),
  ]);
