import type { Network } from "./graph.js";
import type { Layer, Plain, Taps } from "./layer.js";

const times = (values: readonly (number | null)[]): string => values.map((v) => v ?? "all").join(" x ");

const equal = (values: readonly number[]): string => (values.every((v) => v === values[0]) ? String(values[0]) : times(values));

/** What differs from the default of a window: `stride 2, padding 3`. */
const windows = ({ stride, padding, dilation }: Omit<Taps, "kernel">): readonly string[] => [
  ...(stride.some((s) => s !== 1) ? [`stride ${equal(stride)}`] : []),
  ...(padding.some((p) => p !== 0) ? [`padding ${equal(padding)}`] : []),
  ...(dilation.some((d) => d !== 1) ? [`dilation ${equal(dilation)}`] : []),
];

const plain = (value: Plain): string => (value === undefined ? "" : JSON.stringify(value));

/** Options as `nFold 8, pools "isotropic"`; those that are not given are left out. */
export const describeOptions = (options: Readonly<Record<string, Plain>>): string =>
  Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${plain(value)}`])).join(", ");

/** A layer in one line: `conv 3 to 64, 7 x 7, stride 2, padding 3, no bias`. */
export const describeLayer = (layer: Layer): string => {
  switch (layer.kind) {
    case "conv":
    case "convTranspose": {
      const groups = layer.groups === 1 ? [] : [layer.groups === layer.in && layer.in === layer.out ? "depthwise" : `${layer.groups} groups`];
      return [`${layer.kind} ${layer.in} to ${layer.out}`, times(layer.kernel), ...windows(layer), ...groups, ...(layer.bias ? [] : ["no bias"])].join(", ");
    }
    case "variant": {
      const options = describeOptions(layer.variant.options);
      return `${layer.variant.name}${options === "" ? "" : ` (${options})`} of ${describeLayer(layer.of)}`;
    }
    case "linear": return [`linear ${layer.in} to ${layer.out}`, ...(layer.axis === "channels" ? ["over the channels"] : []), ...(layer.bias ? [] : ["no bias"])].join(", ");
    case "batchNorm": return `batch norm of ${layer.channels}${layer.statistics === "batch" ? ", always by the batch" : ""}`;
    case "groupNorm": return `group norm of ${layer.channels} in ${layer.groups} groups`;
    case "layerNorm": return `layer norm of ${layer.channels}`;
    case "activation": return layer.alpha === undefined ? layer.function : `${layer.function} ${layer.alpha}`;
    case "softmax": return `softmax over axis ${layer.axis}`;
    case "pool": return [`${layer.op} pool ${times(layer.kernel)}`, ...windows(layer), ...(layer.ceil ? ["partial windows"] : [])].join(", ");
    case "adaptivePool": return `adaptive ${layer.op} pool to ${times(layer.size)}`;
    case "globalPool": return "mean over space";
    case "flatten": return layer.depth === "mean" ? "mean over the depth, flatten" : "flatten";
    case "upsample": return `${layer.mode} upsampling ${layer.scale === "second input" ? "to the extents of its second input" : `by ${times(layer.scale)}`}`;
    case "scale": return `scale of ${layer.channels}`;
    case "dropout": return `dropout ${layer.p}${layer.channels ? " of channels" : ""}`;
    case "dropPath": return `drop path ${layer.p}`;
    case "crop": return `crop of ${layer.margin}`;
    case "padChannels": return `zeros up to ${layer.to} channels`;
    case "slice": return `slice ${layer.at}`;
    case "concatenate": return "concatenate";
    case "add": return "add";
    case "blend": return "blend";
    case "stopGradient": return "stop gradient";
    case "imageAsVolume": return "image as volume";
  }
};

/** A count as people read it: 1,814,073,344. */
export const thousands = (n: number): string => String(Math.round(n)).replaceAll(/\B(?=(\d{3})+$)/g, ",");

/** Columns of texts, each as wide as its widest; numbers given as `right` are set to the right. */
export const table = (rows: readonly (readonly string[])[], right: ReadonlySet<number> = new Set()): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => row.map((text, column) => (right.has(column) ? text.padStart(widths[column]) : text.padEnd(widths[column]))).join("  ").trimEnd()).join("\n");
};

/**
 * A network as text: one line a layer, what it reads where that is not the layer before. Two networks are equal where their texts are,
 * and the difference of two texts is the difference of the networks.
 */
export const printNetwork = (net: Network): string => {
  const lines = net.nodes.map(({ name, layer, from, parameters }, n) => {
    const before = n === 0 ? net.inputs[0] : net.nodes[n - 1].name;
    const reads = from.length === 1 && from[0] === before ? "" : `of ${from.join(" and ")}`;
    return ["", name, describeLayer(layer), [reads, parameters === name ? "" : `parameters ${parameters}`].filter((text) => text !== "").join(", ")];
  });
  return [`${net.name}: ${net.inputs.join(", ")} to ${net.outputs.join(", ")}`, table(lines)].join("\n");
};
