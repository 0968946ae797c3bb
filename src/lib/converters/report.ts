import { sizeOf } from "../../dsl/index.js";
import type { Network, Node } from "../networks/graph.js";
import { layerParameters } from "../networks/parameters.js";
import { describeLayer, describeOptions, table, thousands } from "../networks/print.js";
import { layerMultiplyAdds, valueShapes, type InputShapes } from "../networks/summary.js";
import type { Conversion } from "./convert.js";

/** Before and after the conversion. */
export interface Change {
  readonly before: number;
  readonly after: number;
}

/** What became of one layer. */
export interface ReportedLayer {
  readonly name: string;
  readonly before: string;
  readonly after: string;
  /** How its parameters are made. */
  readonly weights: string;
  readonly parameters: Change;
  /** Left out where no shapes were given. */
  readonly multiplyAdds?: Change;
}

/** A conversion as plain data: what JSON.stringify takes, and {@link printReport}. */
export interface ConversionReport {
  readonly network: string;
  readonly converter: string;
  readonly layers: readonly ReportedLayer[];
  readonly parameters: Change;
  readonly multiplyAdds?: Change;
}

const learned = ({ layer }: Node): number => Object.values(layerParameters(layer)).reduce((n, { shape, buffer }) => n + (buffer ? 0 : sizeOf(shape)), 0);

const terms = (net: Network, shapes: InputShapes): ((node: Node) => number) => {
  const values = valueShapes(net, shapes);
  return ({ name, layer, from }) => layerMultiplyAdds(layer, values[from[0]], values[name]);
};

const total = (changes: readonly Change[]): Change => ({ before: changes.reduce((n, c) => n + c.before, 0), after: changes.reduce((n, c) => n + c.after, 0) });

/**
 * What a conversion did, layer by layer. Layers that nothing became of, and that have no parameters, are left out.
 * @param shapes of the image and of the volume, for the multiply-adds
 */
export const conversionReport = (conversion: Conversion, shapes?: { readonly image: InputShapes; readonly volume: InputShapes }): ConversionReport => {
  const { source, network, converter } = conversion;
  const count = shapes && { before: terms(source, shapes.image), after: terms(network, shapes.volume) };
  const seen = new Set<string>();
  const layers = conversion.layers.flatMap(({ before, after, weights }): readonly ReportedLayer[] => {
    const shared = seen.has(before.parameters);
    seen.add(before.parameters);
    const parameters = shared ? { before: 0, after: 0 } : { before: learned(before), after: learned(after) };
    const described = { before: describeLayer(before.layer), after: describeLayer(after.layer) };
    if (described.before === described.after && weights === "") return [];
    return [{ name: before.name, ...described, weights, parameters, ...(count && { multiplyAdds: { before: count.before(before), after: count.after(after) } }) }];
  });
  const options = describeOptions(converter.options);
  return {
    network: source.name,
    converter: options === "" ? converter.name : `${converter.name} (${options})`,
    layers,
    parameters: total(layers.map((layer) => layer.parameters)),
    ...(count && { multiplyAdds: total(layers.map((layer) => layer.multiplyAdds!)) }),
  };
};

const changed = ({ before, after }: Change): string => (before === after ? thousands(before) : `${thousands(before)} to ${thousands(after)}`);

/** What a layer became; where that is said in terms of the layer itself, once. */
const became = ({ before, after }: ReportedLayer): string => (before === after ? before : `${before} -> ${after.endsWith(` of ${before}`) ? after.slice(0, -` of ${before}`.length) : after}`);

/** A report as text: a line a layer, and the totals. */
export const printReport = ({ network, converter, layers, parameters, multiplyAdds }: ConversionReport): string => {
  const rows = layers.map((l) => [l.name, became(l), l.weights, changed(l.parameters), ...(l.multiplyAdds ? [changed(l.multiplyAdds)] : [])]);
  const head = ["name", "layer", "weights", "parameters", ...(multiplyAdds ? ["multiply-adds"] : [])];
  return [`${network} by ${converter}`, "", table([head, ...rows]), "", `parameters     ${changed(parameters)}`, ...(multiplyAdds ? [`multiply-adds  ${changed(multiplyAdds)}`] : [])].join("\n");
};
