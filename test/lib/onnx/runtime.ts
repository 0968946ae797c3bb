import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { writeOnnx, type OnnxModel } from "../../../src/lib/formats/onnx.js";

interface Session {
  run(feeds: Record<string, unknown>): Promise<Record<string, { data: ArrayLike<number | bigint>; dims: readonly number[] }>>;
}
interface Runtime {
  readonly InferenceSession: { create(bytes: Uint8Array, options?: object): Promise<Session> };
  readonly Tensor: new (type: string, data: Float32Array, shape: readonly number[]) => unknown;
}

const load = (): Runtime | undefined => {
  try {
    return createRequire(fileURLToPath(new URL("../../../bench/.peers/package.json", import.meta.url)))("onnxruntime-node") as Runtime;
  } catch {
    return undefined;
  }
};

/** ONNX Runtime, where the benchmark's peers are installed. */
export const runtime = load();

export interface Numbers {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** What ONNX Runtime gives. */
export const runOnnx = async (model: OnnxModel | Uint8Array, data: Readonly<Record<string, Numbers>>): Promise<Record<string, { shape: readonly number[]; data: number[] }>> => {
  const { InferenceSession, Tensor } = runtime!;
  const session = await InferenceSession.create(model instanceof Uint8Array ? model : writeOnnx(model), { logSeverityLevel: 3 });
  const results = await session.run(Object.fromEntries(Object.entries(data).map(([name, x]) => [name, new Tensor("float32", x.data, x.shape)])));
  return Object.fromEntries(Object.entries(results).map(([name, { data: values, dims }]) => [name, { shape: [...dims], data: Array.from(values, Number) }]));
};
