import { existsSync } from "node:fs";
import { join } from "node:path";
import { conversionReport, printReport } from "../../lib/converters/index.js";
import { isOnnx, writeOnnx } from "../../lib/formats/index.js";
import { readBytes, readWeightsFile, writeArraysFile, writeBytes } from "../../lib/formats/node.js";
import { exportOnnx } from "../../lib/onnx/index.js";
import type { Shapes } from "../../compiler/index.js";
import type { Network } from "../../lib/networks/index.js";
import { parseShapes } from "../arguments.js";
import { jsonText } from "../json.js";
import { channelsOf, fitting, inputShapes, isScript, loadModel, recognised } from "../models/model.js";
import { exit, misused } from "../usage.js";

export interface ConvertArguments {
  readonly to: string;
  readonly output: string;
  readonly net?: string;
  readonly shape?: readonly string[];
}

/** `indexical convert`: a 2D network and its weights become a 3D one. */
export const convert = async (file: string, { to, output, net, shape }: ConvertArguments): Promise<number> => {
  const { network, conversion, weights } = await ((await isWeights(file, net)) ? loadModel(net ?? (await recognisedNet(file)), { weights: file, to }) : loadModel(file, { to }));
  if (!conversion || !weights) return misused("cli-argument", `${file} has no weights to convert`, "Give a file of weights, or an ONNX model.");
  // What may be refused comes before anything is written.
  const shapes = shape === undefined ? undefined : inputShapes(network, parseShapes(shape));
  const { report, model } = fitting(conversion, () => ({ report: conversionReport(conversion, shapes && { image: sliceShapes(conversion.source, shapes), volume: shapes }), model: shapes && writeOnnx(exportOnnx(network, weights, shapes)) }));
  const text = printReport(report);
  console.log(text);
  await writeArraysFile(join(output, "weights.safetensors"), weights);
  await writeBytes(join(output, "report.json"), Buffer.from(`${jsonText(report)}\n`));
  await writeBytes(join(output, "report.txt"), Buffer.from(`${text}\n`));
  const written = ["weights.safetensors", "report.json", "report.txt"];
  if (model) {
    await writeBytes(join(output, "model.onnx"), model);
    written.push("model.onnx");
  }
  console.log(`\nwrote ${written.map((name) => join(output, name)).join(", ")}`);
  return exit.done;
};

/** Of an ONNX model the graph is read, unless another network is named for its numbers; of other files only the numbers. */
const isWeights = async (file: string, net: string | undefined): Promise<boolean> => net !== undefined || (!isScript(file) && !(existsSync(file) && isOnnx(await readBytes(file))));

/** The image that a slice of the volume is, with the channels of the 2D network, for the multiply-adds before the conversion. */
const sliceShapes = (source: Network, shapes: Shapes): Shapes =>
  Object.fromEntries(source.inputs.map((name, n) => [name, n === 0 && shapes[name]!.length === 5 ? [shapes[name]![0]!, channelsOf(source), ...shapes[name]!.slice(3)] : shapes[name]!]));

const recognisedNet = async (file: string): Promise<string> =>
  recognised(await readWeightsFile(file, { stripModule: true })) ?? misused("cli-argument", `${file} holds weights of no network that is known`, "Say which network they belong to: --net unet:classes=6, or --net FILE#EXPORT.");
