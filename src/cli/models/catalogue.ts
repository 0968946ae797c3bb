import { suggest } from "../../dsl/suggest.js";
import { a3d, acs, alignShift, conv25d, conv3d, i3d, softAcs, tsm, type Converter } from "../../lib/converters/index.js";
import {
  autofocusArchitectures, autofocusNetwork, convnext, convnextSizes, deeplabV3Plus, densenet121, lidcClassifier, lidcFcn, meshNetwork, mobilenetV2, p3d, planarDenseNet, resnet101, resnet152, resnet18, resnet34, resnet3dClassifier, resnet50, sliceDenseNet,
  squeezenet11, unet, unet3d, unetSegmenter, vgg11, vgg16, type AutofocusArchitecture, type Network,
} from "../../lib/networks/index.js";
import { misused } from "../usage.js";
import { checkedSettings, parseSettings, type Allowed, type Settings } from "./settings.js";

/** A name on the command line: what it makes, and what may be set. */
interface Entry<T> {
  readonly make: (settings: never) => T;
  readonly settings: Allowed;
}

const head: Allowed = { classes: "number", channels: "number" };
const backbone = { backbone: ["resnet18", "densenet121", "vgg16"] } as const;
const depths = { depth: [18, 34, 50, 101, 152] } as const;

const autofocus = (architecture: AutofocusArchitecture): Entry<Network> => ({ make: (settings) => autofocusNetwork(architecture, settings), settings: head });

const networks: Readonly<Record<string, Entry<Network>>> = {
  resnet18: { make: resnet18, settings: head },
  resnet34: { make: resnet34, settings: head },
  resnet50: { make: resnet50, settings: head },
  resnet101: { make: resnet101, settings: head },
  resnet152: { make: resnet152, settings: head },
  densenet121: { make: densenet121, settings: head },
  vgg11: { make: vgg11, settings: { ...head, batchNorm: "boolean" } },
  vgg16: { make: vgg16, settings: { ...head, batchNorm: "boolean" } },
  squeezenet: { make: squeezenet11, settings: head },
  mobilenet: { make: mobilenetV2, settings: { ...head, width: "number" } },
  unet: { make: unet, settings: { ...head, width: "number" } },
  deeplab: { make: deeplabV3Plus, settings: head },
  convnext: {
    make: ({ size = "tiny", ...rest }: { readonly size?: keyof typeof convnextSizes; readonly classes?: number; readonly channels?: number }) => convnext({ ...convnextSizes[size], ...rest }),
    settings: { ...head, size: Object.keys(convnextSizes) },
  },
  lidc: { make: lidcFcn, settings: { classes: "number", ...backbone, upsampling: ["nearest", "linear"] } },
  lidcClassifier: { make: lidcClassifier, settings: { classes: "number", ...backbone } },
  resnet3d: { make: resnet3dClassifier, settings: { ...head, ...depths, depthStride: "boolean", stemStride: "boolean" } },
  segmenter3d: { make: unetSegmenter, settings: { ...head, ...depths } },
  unet3d: { make: unet3d, settings: { ...head, width: "number" } },
  p3d: { make: p3d, settings: { depth: ["18ba", "34ba", "18", "63", "131", "199"], channels: "number" } },
  meshnet: { make: meshNetwork, settings: { ...head, width: "number" } },
  planarDenseNet: { make: planarDenseNet, settings: { out: "number", slices: "number", finest: [1, 2] } },
  sliceDenseNet: { make: sliceDenseNet, settings: { mixing: ["alignShift", "tsm", "a3d"], slices: "number", out: "number", finest: [1, 2], nFold: "number", refThickness: "number" } },
  ...Object.fromEntries(autofocusArchitectures.map((name) => [name, autofocus(name)])),
};

const shift: Allowed = { nFold: "number", skipFirst: "boolean", firstConvChannels: "number", pools: ["isotropic", "in-plane"] };
const pools = { pools: ["isotropic", "in-plane"] } as const;

const converters: Readonly<Record<string, Entry<Converter>>> = {
  acs: { make: acs, settings: pools },
  softAcs: { make: softAcs, settings: { ...pools, mean: "boolean" } },
  conv25d: { make: conv25d, settings: { ...pools, axis: "number" } },
  i3d: { make: i3d, settings: { ...pools, axis: "number" } },
  conv3d: { make: conv3d, settings: pools },
  tsm: { make: tsm, settings: shift },
  alignShift: { make: alignShift, settings: { ...shift, refThickness: "number", paddingZero: "boolean" } },
  a3d: { make: a3d, settings: { dimension: "number", pools: ["isotropic", "in-plane"], skipFirst: "boolean", firstConvChannels: "number" } },
};

export const networkNames = Object.keys(networks);
export const converterNames = Object.keys(converters);

/** Names are found whatever their capitals, hyphens and dots: soft-acs is softAcs. */
const bare = (name: string): string => name.toLowerCase().replaceAll(/[-._ ]/g, "");

/** Other names that papers and people use. */
const aliases: Readonly<Record<string, string>> = { "25d": "conv25d", "3d": "conv3d", squeezenet11: "squeezenet", mobilenetv2: "mobilenet", deeplabv3plus: "deeplab" };

const keyOf = <T>(name: string, table: Readonly<Record<string, T>>): string | undefined => {
  const wanted = aliases[bare(name)] ?? name;
  return Object.hasOwn(table, wanted) ? wanted : Object.keys(table).find((key) => bare(key) === bare(wanted));
};

const made = <T>(what: string, text: string, table: Readonly<Record<string, Entry<T>>>): T => {
  const { name, settings } = parseSettings(text);
  const key = keyOf(name, table);
  const entry = key !== undefined ? table[key]! : misused("cli-argument", `there is no ${what} ${name}`, `Those known are ${Object.keys(table).join(", ")}.${suggest(name, Object.keys(table))}`);
  return (entry.make as (settings: Settings) => T)(checkedSettings(name, settings, entry.settings));
};

/** Whether a text starts with the name of a network of the library. */
export const namesNetwork = (text: string): boolean => keyOf(text.split(":", 1)[0]!, networks) !== undefined;

/** The network of a name and its settings: `unet:classes=6`. @throws cli-argument */
export const networkOf = (text: string): Network => made("network", text, networks);

/** The converter of a name and its settings: `alignShift:nFold=4`. @throws cli-argument */
export const converterOf = (text: string): Converter => made("converter", text, converters);
