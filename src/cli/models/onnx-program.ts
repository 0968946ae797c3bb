import { basename } from "node:path";
import { constant, type AnyTensor, type Tensor, type Volume } from "../../dsl/index.js";
import type { OnnxModel } from "../../lib/formats/index.js";
import { importOnnx } from "../../lib/onnx/index.js";
import { misused } from "../usage.js";

/** A model that can be run on volumes, whatever it was made of. */
export interface VolumeModel {
  readonly name: string;
  /** The names of its inputs; the first is the volume. */
  readonly reads: readonly string[];
  /** In-channels. */
  readonly channels: number;
  /** Depth, height and width, of a model that takes no others. */
  readonly extents?: readonly [number, number, number];
  readonly model: (x: Volume) => AnyTensor;
}

/**
 * An ONNX model whose graph is more than layers, such as one with products of matrices or arithmetic on its features, as a function of a volume.
 * @param thickness of the slices in mm, for a model with an input of that name
 * @throws cli-argument for a model that takes no volume, and what {@link importOnnx} throws
 */
export const onnxProgram = (file: string, onnx: OnnxModel, thickness: number): VolumeModel => {
  const name = basename(file).replace(/\.onnx$/i, "");
  const [volume, ...others] = onnx.graph.inputs;
  const shape = volume?.shape;
  const channels = shape?.[1];
  if (!volume || shape?.length !== 5 || typeof channels !== "number")
    return misused("cli-argument", `the first input of ${name} is ${volume ? `${volume.name} [${shape?.map((n) => n ?? "?").join(", ") ?? "?"}]` : "missing"}`, "A model of volumes takes [n, channels, d, h, w].");
  const strange = others.find((input) => input.name !== "thickness");
  if (strange) misused("cli-argument", `${name} reads ${strange.name} as well, which no option gives`, "Run it from a program: indexical run FILE#EXPORT.");
  const outputs = onnx.graph.outputs.slice(0, 1).map((output) => output.name);
  const [d, h, w] = shape.slice(2);
  return {
    name,
    reads: onnx.graph.inputs.map((input) => input.name),
    channels,
    ...(typeof d === "number" && typeof h === "number" && typeof w === "number" && { extents: [d, h, w] as const }),
    model: (x) => {
      const mm = others.map((input) => [input.name, constant<Tensor>(new Float32Array(x.shape[0]!).fill(thickness), input.shape?.length === 1 ? [x.shape[0]!] : [x.shape[0]!, 1])] as const);
      const net = importOnnx(onnx, { outputs, shapes: Object.fromEntries([[volume.name, x.shape], ...mm.map(([input, value]) => [input, value.shape] as const)]) });
      const weights = Object.entries(net.weights).map(([key, array]) => [key, constant<Tensor>(array.data, array.shape)] as const);
      return net.program(Object.fromEntries([...weights, ...mm, [volume.name, x as unknown as Tensor]]))[outputs[0]!]!;
    },
  };
};
