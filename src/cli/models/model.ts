import { existsSync } from "node:fs";
import { elementCount, isOnnx, readOnnx, type Arrays } from "../../lib/formats/index.js";
import { readBytes, readWeightsFile } from "../../lib/formats/node.js";
import { convert, type Conversion } from "../../lib/converters/index.js";
import { networkOfOnnx } from "../../lib/onnx/network/index.js";
import { parameters, type Network, type StateDict } from "../../lib/networks/index.js";
import { loadExport } from "../load.js";
import { misused } from "../usage.js";
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

/**
 * The network of `NAME:SETTINGS`, of an ONNX file (with its weights), or of `FILE#EXPORT`, a TypeScript file that exports a network or a function that makes one.
 * Undefined when `target` is something else. @throws cli-argument, cli-export and what reading throws
 */
const source = async (target: string): Promise<{ readonly network: Network; readonly weights?: StateDict } | undefined> => {
  if (namesNetwork(target)) return { network: networkOf(target) };
  if (existsSync(target) && !/\.[cm]?[jt]sx?$/.test(target)) {
    const bytes = await readBytes(target);
    if (!isOnnx(bytes)) return undefined;
    const { network, state } = networkOfOnnx(readOnnx(bytes));
    return { network, weights: state };
  }
  if (!/\.[cm]?[jt]sx?(#|$)/.test(target)) return undefined;
  const { value } = await loadExport(target, (v) => isNetwork(v));
  return isNetwork(value) ? { network: value } : undefined;
};

/** Whether weights have the names and shapes of a network's parameters. */
const fits = (network: Network, weights: Arrays): boolean =>
  Object.entries(parameters(network)).every(([name, { shape }]) => Object.hasOwn(weights, name) && elementCount(weights[name]!.shape) === elementCount(shape) && weights[name]!.shape.join() === shape.join());

/** Whether all convolutions of a network are of images. */
export const isPlanar = (network: Network): boolean => network.nodes.some(({ layer }) => layer.kind === "conv" && layer.kernel.length === 2);

/** @throws cli-argument when `target` names no network */
export const loadModel = async (target: string, { weights: file, to }: ModelArguments = {}): Promise<NamedModel> => {
  const found = (await source(target)) ?? misused("cli-argument", `${target} is no network`, `Name one of the library (${networkNames.join(", ")}), an ONNX file, or FILE#EXPORT of a network.`);
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
