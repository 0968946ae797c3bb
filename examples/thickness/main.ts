// Do features of thin and of thick slices agree? SqueezeNet as AlignShift, as TSM and as 2.5D, on the CT of a head in slices of 4 and of 7 mm.
//   node scripts/run.mjs examples/thickness/main.ts
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { compile, type Tensor } from "indexical";
import { convert, converters, forward, hounsfieldWindows, networkOfOnnx, parameterShapes, readNifti, toFloat32, type Converter } from "indexical/lib";
import { agreement, type Features, type Pairing } from "./agreement.js";

const { values: options } = parseArgs({ options: { device: { type: "string", default: "auto" } } });
const file = (path: string): Promise<Uint8Array> => readFile(new URL(`../../data/${path}`, import.meta.url));

/** A stack of axial slices in Hounsfield units, and where they lie. */
interface Stack {
  readonly name: string;
  readonly data: ArrayLike<number>;
  readonly shape: readonly [slices: number, rows: number, columns: number];
  /** Of a slice, and of the middle of the first, in mm along the patient. */
  readonly thickness: number;
  readonly start: number;
}

const readStack = async (name: string): Promise<Stack> => {
  const { data, shape: [columns, rows, slices], spacing, affine } = readNifti(await file(`volumes/ct_head_${name}.nii.gz`));
  return { name: `${spacing[2].toFixed(2)} mm`, data, shape: [slices, rows, columns], thickness: spacing[2], start: affine[2][3] };
};

/** The stack as a scanner with slices twice as thick gives it: the mean of each two. */
const paired = ({ data, shape: [slices, rows, columns], thickness, start }: Stack): Stack => {
  const plane = rows * columns;
  const mean = Float32Array.from({ length: (slices / 2) * plane }, (_, n) => (data[n + Math.floor(n / plane) * plane] + data[n + (Math.floor(n / plane) + 1) * plane]) / 2);
  return { name: `${(2 * thickness).toFixed(2)} mm`, data: mean, shape: [slices / 2, rows, columns], thickness: 2 * thickness, start: start + thickness / 2 };
};

/** Three equal channels of a window of Hounsfield units, as the network reads photographs: 0 to 255, less the means of its training set. */
const pixels = ({ data }: Stack): Float32Array => {
  const [low, high] = hounsfieldWindows.brain;
  return Float32Array.from({ length: 3 * data.length }, (_, n) => {
    const share = Math.min(Math.max((data[n % data.length] - low) / (high - low), 0), 1);
    return 255 * share - [104, 117, 123][Math.floor(n / data.length)];
  });
};

// Two values inside of the network: after the fourth of its eight fire modules, and after the last.
const layers = { "fire 7": "/features/features.7/Concat_output_0", "fire 12": "/features/features.12/Concat_output_0" };
const { network, state } = networkOfOnnx(await file("weights/squeezenet/squeezenet1_1-op13.onnx"), { name: "SqueezeNet 1.1", outputs: Object.values(layers) });

/** Features of stacks, layer by layer, by one network. Pools leave the depth alone, so that every slice has its own. @param told the thickness that the network is told */
const featuresOf = async (converter: Converter, stacks: readonly Stack[], told = (stack: Stack): number => stack.thickness): Promise<readonly Readonly<Record<string, Features>>[]> => {
  const { network: net, weights } = convert(network, converter);
  const params = Object.fromEntries(Object.entries(weights(state)).map(([key, array]) => [key, toFloat32(array)]));
  const [input] = net.inputs;
  const program = (all: Record<string, Tensor>): Record<string, Tensor> => {
    const { outputs } = forward(net, all, Object.fromEntries(net.inputs.map((name) => [name, all[name]])));
    return Object.fromEntries(Object.keys(layers).map((layer, n) => [layer, outputs[n] as Tensor]));
  };
  const results: Readonly<Record<string, Features>>[] = [];
  for (const stack of stacks) {
    const reads = net.inputs.includes("thickness");
    const thickness: Readonly<Record<string, readonly number[]>> = reads ? { thickness: [1] } : {};
    const compiled = await compile(program, { ...parameterShapes(net), [input]: [1, 3, ...stack.shape], ...thickness }, { device: options.device });
    const given = { ...params, [input]: pixels(stack), ...(reads ? { thickness: Float32Array.of(told(stack)) } : {}) };
    const made = await compiled.run(given);
    compiled.dispose();
    results.push(Object.fromEntries(Object.entries(made).map(([layer, { data, shape }]) => [layer, { data, shape: shape.slice(1) as unknown as Features["shape"] }])));
  }
  return results;
};

const [thin, thick] = [await readStack("4mm"), await readStack("7mm")];
const stacks = [thin, thick, paired(thin), paired(thick)];
for (const { name, shape, start, thickness } of stacks.slice(0, 2)) console.log(`${shape[0]} slices of ${name}, from ${start.toFixed(1)} to ${(start + (shape[0] - 1) * thickness).toFixed(1)} mm`);
console.log(`between the last of the one and the first of the other: ${(thick.start - thin.start - (thin.shape[0] - 1) * thin.thickness).toFixed(2)} mm`);

/** Where there is a head, not air. */
const inside = ({ data, shape: [, rows, columns] }: Stack) => (slice: number, row: number, column: number): boolean =>
  data[(slice * rows + Math.floor(row * rows)) * columns + Math.floor(column * columns)] > -200;

const all = ({ shape: [slices] }: Stack): readonly Pairing[] => Array.from({ length: slices }, (_, k) => ({ left: [k], right: [k] }));
const twos = ({ shape: [slices] }: Stack): readonly Pairing[] => Array.from({ length: slices / 2 }, (_, k) => ({ left: [2 * k, 2 * k + 1], right: [k] }));
const seam: readonly Pairing[] = [{ left: [thin.shape[0] - 1], right: [0] }];

const pools = "in-plane";
const nets: Readonly<Record<string, readonly Readonly<Record<string, Features>>[]>> = {
  AlignShift: await featuresOf(converters.alignShift({ pools }), stacks),
  TSM: await featuresOf(converters.tsm({ pools }), stacks),
  "2.5D": await featuresOf(converters.tsm({ shift: false, pools }), stacks),
  // Two that are between AlignShift and TSM: all slices taken for thin ones, which are shifted whole; and all for those of the first stack.
  "told 2 mm": await featuresOf(converters.alignShift({ pools }), stacks, () => 2),
  [`told ${thin.thickness.toFixed(2)} mm`]: await featuresOf(converters.alignShift({ pools }), stacks, () => thin.thickness),
};

const headings = [`${stacks[0].name} and ${stacks[2].name}`, `${stacks[1].name} and ${stacks[3].name}`, `${stacks[0].name} and ${stacks[1].name}`, `${stacks[0].name}, with 2.5D`];
const row = (...cells: readonly string[]): string => cells.map((cell, n) => cell.padEnd(n === 0 ? 7 : n === 1 ? 12 : headings[n - 2].length)).join("   ").trimEnd();
console.log(`\nMean cosine similarity of features at the same places in the head\n${row("after", "as", ...headings)}`);
for (const layer of Object.keys(layers))
  for (const [name, features] of Object.entries(nets)) {
    const of = (a: number, b: number, pairs: readonly Pairing[]): number => agreement(features[a][layer], features[b][layer], pairs, inside(stacks[a]));
    const plain = agreement(features[0][layer], nets["2.5D"][0][layer], all(thin), inside(thin));
    console.log(row(layer, name, ...[of(0, 2, twos(thin)), of(1, 3, twos(thick)), of(0, 1, seam), plain].map((v) => v.toFixed(3))));
  }
