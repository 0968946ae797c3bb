import { existsSync, statSync } from "node:fs";
import { basename } from "node:path";
import { IndexicalError } from "../../dsl/index.js";
import { suggest } from "../../dsl/suggest.js";
import type { Shapes } from "../../compiler/index.js";
import { elementCount, isOnnx, readOnnx, weightsFormatOf, type Arrays } from "../../lib/formats/index.js";
import { readBytes, readLayersModelFile, readWeightsFile } from "../../lib/formats/node.js";
import { convert, type Conversion } from "../../lib/converters/index.js";
import { networkOfOnnx } from "../../lib/onnx/network/index.js";
import { meshNetOf, parameters, type Network, type StateDict } from "../../lib/networks/index.js";
import { loadExport } from "../load.js";
import { advised, misused } from "../usage.js";
import { converterOf, namesNetwork, networkNames, networkOf } from "./catalogue.js";

/** A network that was named on the command line, perhaps made 3D, and its weights where they were given. */
export interface NamedModel {
  readonly network: Network;
  readonly conversion: Conversion | undefined;
  readonly weights: StateDict | undefined;
}

export interface ModelArguments {
  readonly weights?: string;
  /** A converter and its settings: `acs`, `alignShift:nFold=4`. */
  readonly to?: string;
}

/** Whether a value is a network of the library. */
export const isNetwork = (value: unknown): value is Network =>
  typeof value === "object" && value !== null && "nodes" in value && Array.isArray(value.nodes) && "inputs" in value && "outputs" in value && "modules" in value;

/** Whether a text names a file of TypeScript or JavaScript, with or without an export. */
export const isScript = (target: string): boolean => /\.[cm]?[jt]sx?(#|$)/.test(target);

const kinds = "a network of the library, an ONNX file, a tfjs model.json, or FILE#EXPORT of a network";
const offered = `Those of the library are ${networkNames.join(", ")}.`;

/**
 * The network of `NAME:SETTINGS`, of an ONNX file or a tfjs layers model (with its weights), or of `FILE#EXPORT`, a TypeScript file that exports a network or a function that makes one.
 * Undefined when `target` is something else. @throws cli-argument, cli-export and what reading throws
 */
const source = async (target: string): Promise<{ readonly network: Network; readonly weights?: StateDict } | undefined> => {
  if (namesNetwork(target)) return { network: networkOf(target) };
  if (!isScript(target)) {
    if (!existsSync(target)) return undefined;
    if (!statSync(target).isFile()) return misused("cli-argument", `${target} is a folder`, `Name ${kinds}.`);
    const bytes = await readBytes(target);
    if (weightsFormatOf(bytes) === "tfjs") return meshNetOf(await readLayersModelFile(target), { axes: "kji" });
    // A damaged .onnx is for its reader to refuse.
    if (!isOnnx(bytes) && !/\.onnx$/i.test(target)) return misused("cli-argument", `${target} holds no network`, `Name the network: unet --weights ${target}. ${offered}`);
    const { network, state } = networkOfOnnx(readOnnx(bytes));
    // Exporters call every graph main_graph or torch_jit.
    return { network: { ...network, name: basename(target).replace(/\.onnx$/i, "") }, weights: state };
  }
  const { value } = await loadExport(target, (v) => isNetwork(v));
  // A function without required arguments may make a network; a program has one.
  const made: unknown = typeof value === "function" && value.length === 0 ? (value as () => unknown)() : value;
  return isNetwork(made) ? { network: made } : undefined;
};

/** Whether weights have the names and shapes of a network's parameters. */
const fits = (network: Network, weights: Arrays): boolean =>
  Object.entries(parameters(network)).every(([name, { shape }]) => Object.hasOwn(weights, name) && elementCount(weights[name]!.shape) === elementCount(shape) && weights[name]!.shape.join() === shape.join());

/** Whether all convolutions of a network are of images. */
export const isPlanar = (network: Network): boolean => network.nodes.some(({ layer }) => layer.kind === "conv" && layer.kernel.length === 2);

/** @throws cli-argument when `target` names no network */
export const loadModel = async (target: string, { weights: file, to }: ModelArguments = {}): Promise<NamedModel> => {
  const found = (await source(target)) ?? misused("cli-argument", `${target} is no network${/[./\\]/.test(target) && !existsSync(target.replace(/#[^#]*$/, "")) ? ", and there is no such file" : ""}`, `Name ${kinds}.${suggest(target.split(":", 1)[0]!, networkNames)}\n  ${offered}`);
  const given = file === undefined ? found.weights : await readWeightsFile(file, { stripModule: true });
  const conversion = to === undefined ? undefined : convert(found.network, converterOf(to));
  const network = conversion?.network ?? found.network;
  if (given === undefined) return { network, conversion, weights: undefined };
  // Weights of the converted network are taken as they are; those of the 2D one are converted.
  if (!conversion || (fits(network, given) && !fits(found.network, given))) return { network, conversion, weights: checked(network, given) };
  return { network, conversion, weights: conversion.weights(checked(found.network, given)) };
};

const checked = (network: Network, weights: Arrays): StateDict => {
  for (const [name, { shape }] of Object.entries(parameters(network))) {
    const array = Object.hasOwn(weights, name) ? weights[name] : undefined;
    if (!array) misused("cli-argument", `the weights have no ${name}, which ${network.name} needs`, `They hold ${Object.keys(weights).slice(0, 8).join(", ")}${Object.keys(weights).length > 8 ? ", ..." : ""}.`);
    if (array!.shape.join() !== shape.join()) misused("cli-argument", `${name} of the weights has shape [${array!.shape.join(", ")}]; ${network.name} needs [${shape.join(", ")}]`, "Other settings may fit: NET:classes=6,channels=1.");
  }
  return weights;
};

/** Which network of the library has parameters of these names and shapes, by its usual settings. */
export const recognised = (weights: Arrays): string | undefined => networkNames.find((name) => fits(networkOf(name), weights));

/** The in-channels of a network's first convolution. */
export const channelsOf = (network: Network): number => {
  for (const { layer } of network.nodes) {
    if (layer.kind === "conv") return layer.in;
    if (layer.kind === "variant") return layer.of.in;
  }
  return 1;
};

/** The shapes of a network's inputs: those given; of a slice thickness that is not, one for each sample. @throws cli-argument */
export const inputShapes = (network: Network, given: Shapes): Shapes => {
  const [first, ...others] = network.inputs as [string, ...string[]];
  const strange = Object.keys(given).find((name) => !network.inputs.includes(name));
  if (strange !== undefined) misused("cli-argument", `${network.name} has no input ${strange}`, `Its inputs are ${network.inputs.join(", ")}.`);
  const example = [1, channelsOf(network), ...(isPlanar(network) ? [64, 64] : [32, 64, 64])].join();
  if (!Object.hasOwn(given, first)) misused("cli-argument", `${network.name} has an input ${first}, and no shape was given for it`, `Write --shape ${first}=${example}.`);
  const missing = others.find((name) => name !== "thickness" && !Object.hasOwn(given, name));
  if (missing !== undefined) misused("cli-argument", `${network.name} has an input ${missing}, and no shape was given for it`, `Write --shape ${missing}=EXTENTS as well.`);
  return { ...(others.includes("thickness") && { thickness: [given[first]![0] ?? 1, 1] }), ...given };
};

/** Does what depends on the shapes that a network is given; where they don't fit, says what helps. @param windows whether `--divisor` is to be had */
export const fitting = <T>(conversion: Conversion | undefined, action: () => T, { windows = false } = {}): T => {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof IndexicalError) || (!conversion && !windows) || !["lib-extent", "view-shapes"].includes(error.code)) throw error;
    const remedy = [
      "A network that halves its input needs extents that can be halved as often",
      windows ? ": pad the volume to multiples with --divisor 4, 8, 16 or 32." : ".",
      conversion && conversion.converter.pools !== "in-plane" ? ` Where slices are few, let pools leave the depth alone: --to ${conversion.converter.name}:pools=in-plane.` : "",
    ].join("");
    throw advised(error, remedy);
  }
};
