import type { NdArray } from "../formats/ndarray.js";
import { refuse } from "../arguments.js";
import type { Network, Node } from "../networks/graph.js";
import { initialParameter, type StateDict } from "../networks/initialise.js";
import type { ConvLayer, ConvTransposeLayer, Layer, LayerOf } from "../networks/layer.js";
import { layerParameters, parameters } from "../networks/parameters.js";
import { adaptedChannels, takeChannels } from "./arrays.js";
import { fresh, unchanged, type Converter, type WeightMap } from "./converter.js";
import { depthSteps, type DepthSteps } from "./depth.js";
import { isotropicTaps } from "./taps.js";

/** What became of one layer. */
export interface ConvertedLayer {
  readonly before: Node;
  readonly after: Node;
  /** How its parameters are made, in words; empty for layers without. */
  readonly weights: string;
}

/** A 2D network made 3D. */
export interface Conversion {
  readonly converter: Converter;
  readonly source: Network;
  readonly network: Network;
  /** Layer by layer. */
  readonly layers: readonly ConvertedLayer[];
  /**
   * The parameters of the 3D network from those of the 2D one. What has no counterpart starts anew.
   * @param options.seed for what starts anew; default 0
   * @throws convert-weights for a parameter that is missing or has another shape than the 2D network
   */
  weights(state: StateDict, options?: { readonly seed?: number }): StateDict;
}

/**
 * The 3D network of a 2D one: every convolution as the converter says; pools, adaptive pools, upsampling and reshapes with a third axis; norms,
 * activations and linear layers as they are. Names stay, so weights of the 2D network are converted by name.
 * A classifier that flattens a map gets the mean of the map over the depth. As many slices are needed as the 2D network needs rows,
 * unless pools leave the depth alone.
 */
export const convert = (net: Network, converter: Converter): Conversion => {
  const first = net.nodes.find(({ layer }) => planarConvolution(layer))?.name ?? refuse("convert-planar", `${net.name} has no convolution of images`, "Convert a 2D network.");
  const flattened = feedsFlatten(net);
  const maps = new Map<string, WeightMap>();
  const steps = depthSteps(net.inputs);
  const layers = net.nodes.map((before): ConvertedLayer => {
    const made = convertNode(before, converter, { first: before.name === first, flattened: flattened.has(before.name), steps });
    steps.record(before, made.after.layer);
    maps.set(before.parameters, made.map);
    return { before, after: made.after, weights: Object.keys(layerParameters(made.after.layer)).length > 0 ? made.map.how : "" };
  });
  const network: Network = { ...net, name: `${net.name}, ${converter.name}`, inputs: [...net.inputs, ...(converter.inputs ?? [])], nodes: layers.map(({ after }) => after) };
  return { converter, source: net, network, layers, weights: (state, { seed = 0 } = {}) => convertWeights(net, network, maps, state, seed) };
};

interface Place {
  readonly first: boolean;
  readonly flattened: boolean;
  readonly steps: DepthSteps;
}

const planarConvolution = (layer: Layer): layer is ConvLayer | ConvTransposeLayer => (layer.kind === "conv" || layer.kind === "convTranspose") && layer.kernel.length === 2;

const convertNode = (node: Node, converter: Converter, { first, flattened, steps }: Place): { readonly after: Node; readonly map: WeightMap } => {
  const { layer } = node;
  const as = (after: Layer, map = unchanged): { readonly after: Node; readonly map: WeightMap } => ({ after: { ...node, layer: after }, map });
  if (planarConvolution(layer)) {
    const wanted = first ? converter.firstConvChannels : undefined;
    const of = wanted === undefined || wanted === layer.in ? layer : adaptedLayer(node.name, layer, wanted);
    const { variant, weights = unchanged } = converter.convolution(of, { name: node.name, first });
    const after: Node = { ...node, layer: { kind: "variant", variant, of }, from: [...node.from, ...(variant.inputs ?? [])] };
    return { after, map: of === layer ? weights : adapted(weights, layer.in, of.in) };
  }
  const inPlane = converter.pools === "in-plane";
  switch (layer.kind) {
    case "pool": return as(inPlane ? { ...layer, kernel: [1, ...layer.kernel], stride: [1, ...layer.stride], padding: [0, ...layer.padding], dilation: [1, ...layer.dilation] } : { ...layer, ...isotropicTaps(layer) });
    case "adaptivePool": return as({ ...layer, size: [flattened ? 1 : inPlane ? null : thirdSize(layer), ...layer.size] });
    case "flatten": return as({ ...layer, depth: "mean" });
    case "upsample": return as(layer.scale === "second input" ? layer : { ...layer, scale: [steps.scaleOf(node, layer.scale), ...layer.scale] });
    case "batchNorm":
    case "groupNorm":
    case "layerNorm": return as(layer, converter.freshNorms ? fresh : unchanged);
    default: return as(layer);
  }
};

const thirdSize = ({ size: [a, b] }: LayerOf<"adaptivePool">): number | null => (a === null || b === null ? null : Math.min(a, b));

const adaptedLayer = (name: string, layer: ConvLayer | ConvTransposeLayer, channels: number): ConvLayer | ConvTransposeLayer =>
  layer.kind === "conv" && layer.groups === 1 && Number.isInteger(channels) && channels > 0
    ? { ...layer, in: channels }
    : refuse("convert-channels", `the first convolution, ${name}, has ${layer.in} in-channels${layer.groups === 1 ? "" : ` in ${layer.groups} groups`}, and can't be given ${channels}`, "firstConvChannels is a whole number from 1 up, for a convolution without groups.");

/** First the in-channels, then what the variant does with the weights. */
const adapted = (weights: WeightMap, from: number, to: number): WeightMap => {
  const channels = adaptedChannels(from, to);
  const text = `in-channels [${channels.join(", ")}] of ${from}`;
  return { how: weights.how === "unchanged" ? text : `${text}, ${weights.how}`, map: (state) => weights.map({ ...state, weight: takeChannels(state["weight"], channels) }) };
};

/** Adaptive pools that nothing but a flatten reads, through layers that leave the places alone: their depth becomes 1. */
const feedsFlatten = (net: Network): ReadonlySet<string> => {
  const readers = new Map<string, Node[]>();
  for (const node of net.nodes) for (const from of node.from) readers.set(from, [...(readers.get(from) ?? []), node]);
  const local = new Set<Layer["kind"]>(["activation", "dropout", "batchNorm", "groupNorm", "layerNorm", "scale"]);
  const only = (name: string): boolean => {
    const next = readers.get(name) ?? [];
    return next.length > 0 && next.every(({ name: reader, layer }) => layer.kind === "flatten" || (local.has(layer.kind) && only(reader)));
  };
  return new Set(net.nodes.filter(({ name, layer }) => layer.kind === "adaptivePool" && only(name)).map(({ name }) => name));
};

const convertWeights = (from: Network, to: Network, maps: ReadonlyMap<string, WeightMap>, state: StateDict, seed: number): StateDict => {
  const wanted = parameters(to);
  const made: Record<string, NdArray> = {};
  const done = new Set<string>();
  for (const [n, { parameters: at, layer }] of from.nodes.entries()) {
    const names = Object.entries(layerParameters(layer));
    if (names.length === 0 || done.has(at)) continue;
    done.add(at);
    const given = Object.fromEntries(names.map(([name, { shape }]) => [name, checked(state, `${at}.${name}`, shape)]));
    const mapped = maps.get(at)!.map(given);
    for (const name of Object.keys(layerParameters(to.nodes[n].layer))) {
      const key = `${at}.${name}`;
      made[key] = Object.hasOwn(mapped, name) ? mapped[name] : initialParameter(key, wanted[key], seed);
      if (made[key].shape.join() !== wanted[key].shape.join())
        refuse("convert-weights", `${key} became shape [${made[key].shape.join(", ")}]; the 3D network needs [${wanted[key].shape.join(", ")}]`, "The variant and its map of weights don't fit each other.");
    }
  }
  return made;
};

const checked = (state: StateDict, key: string, shape: readonly number[]): NdArray => {
  const array = Object.hasOwn(state, key) ? state[key] : refuse("convert-weights", `the state dict has no ${key}`, `It needs shape [${shape.join(", ")}].`);
  return array.shape.join() === shape.join() ? array : refuse("convert-weights", `${key} has shape [${array.shape.join(", ")}]; the 2D network has [${shape.join(", ")}]`, "Give the weights of the network that was converted.");
};
