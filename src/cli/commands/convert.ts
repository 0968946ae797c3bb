import { join } from "node:path";
import { conversionReport, printReport } from "../../lib/converters/index.js";
import { writeOnnx } from "../../lib/formats/index.js";
import { readWeightsFile, writeArraysFile, writeBytes } from "../../lib/formats/node.js";
import { exportOnnx } from "../../lib/onnx/index.js";
import { parseShapes } from "../arguments.js";
import { jsonText } from "../json.js";
import { loadModel, recognised } from "../models/model.js";
import { exit, misused } from "../usage.js";

export interface ConvertArguments {
  readonly to: string;
  readonly output: string;
  readonly net?: string;
  readonly shape?: readonly string[];
}

/** `indexical convert`: a 2D network and its weights become a 3D one. */
export const convert = async (file: string, { to, output, net, shape }: ConvertArguments): Promise<number> => {
  const { network, conversion, weights } = await (isWeights(file) ? loadModel(net ?? (await recognisedNet(file)), { weights: file, to }) : loadModel(file, { to }));
  if (!conversion || !weights) return misused("cli-argument", `${file} has no weights to convert`, "Give a file of weights, or an ONNX model.");
  const report = conversionReport(conversion);
  const text = printReport(report);
  console.log(text);
  await writeArraysFile(join(output, "weights.safetensors"), weights);
  await writeBytes(join(output, "report.json"), Buffer.from(`${jsonText(report)}\n`));
  await writeBytes(join(output, "report.txt"), Buffer.from(`${text}\n`));
  const written = ["weights.safetensors", "report.json", "report.txt"];
  if (shape !== undefined) {
    await writeBytes(join(output, "model.onnx"), writeOnnx(exportOnnx(network, weights, parseShapes(shape))));
    written.push("model.onnx");
  }
  console.log(`\nwrote ${written.map((name) => join(output, name)).join(", ")}`);
  return exit.done;
};

/** Of an ONNX model the graph is read, of other files only the numbers. */
const isWeights = (file: string): boolean => !/\.onnx$/i.test(file) && !/\.[cm]?[jt]sx?(#|$)/.test(file);

const recognisedNet = async (file: string): Promise<string> =>
  recognised(await readWeightsFile(file, { stripModule: true })) ?? misused("cli-argument", `${file} holds weights of no network that is known`, "Say which network they belong to: --net unet:classes=6, or --net FILE#EXPORT.");
