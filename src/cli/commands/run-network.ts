import { existsSync } from "node:fs";
import { compile } from "../../compiler/index.js";
import { constant, IndexicalError, input, nodeOf, type Tensor, type Volume } from "../../dsl/index.js";
import { predict, type Prediction } from "../../inference/index.js";
import { ndarray, readOnnx, toFloat32, type VolumeImage } from "../../lib/formats/index.js";
import { readBytes, writeArraysFile, writeVolumeFile } from "../../lib/formats/node.js";
import { apply, summary, type Network, type StateDict } from "../../lib/networks/index.js";
import { prepare, reoriented, resampled, type Change } from "../../lib/volumes/index.js";
import { channelsOf, fitting, isPlanar, isScript, loadModel, type ModelArguments } from "../models/model.js";
import { namesNetwork } from "../models/catalogue.js";
import { onnxProgram, type VolumeModel } from "../models/onnx-program.js";
import { intensityOf, readVolume, type ReadVolume } from "../models/volume.js";
import { interruptible, progressBar } from "../progress.js";
import { exit, misused } from "../usage.js";

export interface RunNetworkArguments extends ModelArguments {
  readonly input?: readonly string[];
  readonly output: string;
  readonly device: string;
  readonly intensity?: string;
  readonly orientation?: string;
  readonly spacing?: string;
  readonly series?: string;
  readonly thickness?: string;
  readonly window?: string;
  readonly overlap?: string;
  readonly divisor?: string;
  readonly threshold?: string;
  readonly scores?: boolean;
}

/** What `run` takes for programs only. */
const ofPrograms = ["grad", "wrt", "tune", "tuning", "shape"] as const;

/** Whether `run` is asked for a network on a volume, rather than for a program on arrays. */
export const meansNetwork = (target: string, { weights, to, window }: RunNetworkArguments): boolean =>
  namesNetwork(target) || weights !== undefined || to !== undefined || window !== undefined || (!isScript(target) && (existsSync(target) || /^[\w-]+(:|$)|\.(onnx|json)$/i.test(target)));

/** `indexical run NET`: a network on a volume, window by window; labels on the grid of the volume. */
export const runNetwork = async (target: string, options: RunNetworkArguments & Partial<Record<(typeof ofPrograms)[number], unknown>>): Promise<number> => {
  const strange = ofPrograms.find((name) => options[name] !== undefined);
  if (strange !== undefined) misused("cli-argument", `--${strange} is for programs, and ${target} is a network`, "Leave it out, or name a program: FILE#EXPORT.");
  // What may be refused comes before what takes time.
  const changes = changesOf(options);
  const asked = windowOf(options.window);
  const wanted = { overlap: numberOf("overlap", options.overlap), divisor: numberOf("divisor", options.divisor), threshold: numberOf("threshold", options.threshold) };
  const slices = numberOf("thickness", options.thickness);
  if (slices !== undefined && slices <= 0) misused("cli-argument", `--thickness ${options.thickness} is no thickness`, "Give millimetres, more than 0.");
  const { image, thickness } = await volumeOf(options);
  // Each channel is prepared by itself: its values have a range of their own.
  const prepared = volumesOf(image).map((one) => prepare(one, ...changes));
  const changed = prepared[0]!;
  const ready = changed.image;
  const { model, channels, name, reads, extents, network } = await modelOf(target, options, slices ?? thickness);
  const window = asked ?? extents;
  const volume = inChannels(prepared.map((one) => one.image), channels, name);
  const classifier = isClassifier(model, channels, windowExtents(ready, window, wanted.divisor));
  checkOutput(options, name, classifier);
  if (slices !== undefined && !reads.includes("thickness")) misused("cli-argument", `--thickness ${options.thickness}: ${name} does not read a thickness`, "Only networks with slices of AlignShift do.");
  console.log(`${name} on ${ready.shape.join(" x ")} voxels of ${ready.spacing.map(millimetres).join(" x ")} mm, ${ready.orientation}${reads.includes("thickness") ? `, slices ${millimetres(slices ?? thickness)} mm thick` : ""}`);
  await interruptible(async (signal) => {
    const bar = progressBar(target);
    try {
      const start = performance.now();
      const common = { device: options.device, signal };
      if (classifier) {
        const compiled = await compile(({ x }: { x: Volume }) => model(x), { x: [1, channels, ...ready.shape.toReversed()] }, common);
        const { data, shape } = await compiled.run({ x: { data: volume.data, shape: [1, channels, ...ready.shape.toReversed()] } }, { signal, onProgress: bar.update });
        bar.stop();
        compiled.dispose();
        await writeArraysFile(options.output, { output: ndarray(data as Float32Array, shape) });
        const best = [...data].map((score, c) => [score, c] as const).sort(([a], [b]) => b - a).slice(0, 5);
        console.log(`scores [${shape.join(", ")}] -> ${options.output}; highest: ${best.map(([score, c]) => `class ${c} ${score.toFixed(4)}`).join(", ")}`);
      } else {
        const result = await predict(model as (x: Volume) => Volume, volume, {
          ...common, ...wanted, window, result: options.scores ? "scores" : "labels", onProgress: bar.update,
        });
        bar.stop();
        await writeResult(options, result, changed.restore);
        console.log(`${result.windows} window${result.windows === 1 ? "" : "s"} of ${result.window.join(" x ")} on ${result.device} in ${((performance.now() - start) / 1000).toFixed(1)} s`);
        const seen = network && result.windows > 1 ? borderNote(network, channels, result.window, ready.shape.toReversed(), wanted.overlap ?? 0.25) : undefined;
        if (seen !== undefined) console.log(seen);
      }
    } finally {
      bar.stop();
    }
  });
  return exit.done;
};

const millimetres = (mm: number): number => Number(mm.toPrecision(4));

const isImage = (path: string): boolean => /\.nii(\.gz)?$/i.test(path);

/** Refuses what could not be written, before anything runs. */
const checkOutput = (options: RunNetworkArguments, name: string, classifier: boolean): void => {
  const { output } = options;
  const image = isImage(output);
  if (!image && !/\.(npy|npz|safetensors)(\.gz)?$/i.test(output)) misused("cli-argument", `--output ${output} ends in none of .nii .nii.gz .npy .npz .safetensors`, "The ending says what is written.");
  if (!classifier) return;
  if (image) misused("cli-argument", `${name} gives one score a class, no image for ${output}`, "Write .npy, .npz or .safetensors.");
  const option = (["window", "overlap", "divisor", "threshold", "scores"] as const).find((key) => options[key] !== undefined);
  if (option !== undefined) misused("cli-argument", `--${option} is for networks that label voxels; ${name} gives one score a class`, "Leave it out.");
};

type AnyModel = VolumeModel["model"];

const volumeOf = async ({ input: given = [], series }: RunNetworkArguments): Promise<ReadVolume> => {
  if (given.length !== 1) misused("cli-argument", `${given.length} inputs for a network that reads one volume`, "Write --input VOLUME: a NIfTI file, a folder of DICOM files, or an array of three axes.");
  return readVolume(given[0]!.replace(/^\w+=/, ""), series);
};

const changesOf = ({ orientation, spacing, intensity = "none" }: RunNetworkArguments): readonly Change[] => {
  const size = spacing?.split(",").map(Number);
  if (size && (size.length !== 3 || !size.every((s) => s > 0))) misused("cli-argument", `--spacing ${spacing} is no three voxel sizes`, "Write --spacing 1,1,1, in mm.");
  const values = intensityOf(intensity);
  return [...(orientation === undefined ? [] : [reoriented(orientation as never)]), ...(size ? [resampled(size as unknown as readonly [number, number, number])] : []), ...(values ? [values] : [])];
};

const numberOf = (option: string, text: string | undefined): number | undefined => {
  if (text === undefined) return undefined;
  const value = Number(text);
  return text.trim() === "" || !Number.isFinite(value) ? misused("cli-argument", `--${option} ${text} is no number`) : value;
};

const windowOf = (text: string | undefined): "whole" | number | readonly [number, number, number] | undefined => {
  if (text === undefined || text === "whole") return text;
  const extents = text.split(/[,x]/).map(Number);
  if ((extents.length !== 1 && extents.length !== 3) || !extents.every((n) => Number.isInteger(n) && n > 0)) misused("cli-argument", `--window ${text} is no window`, "Write --window 64, --window 32,128,128 (depth, height, width), or --window whole.");
  return extents.length === 1 ? extents[0]! : (extents as unknown as readonly [number, number, number]);
};

/** The network is undefined where the model is a program that is no graph of layers. */
type NamedRun = VolumeModel & { readonly network?: Network };

const modelOf = async (target: string, options: RunNetworkArguments, thickness: number): Promise<NamedRun> => {
  const { network, conversion, weights } = await loadModel(target, options).catch(async (error: unknown) => {
    // A converter needs layers, and so do weights that are named after them; to run a graph as it is, nothing does.
    if (!(error instanceof IndexicalError) || error.code !== "onnx-layer" || options.to !== undefined || options.weights !== undefined) throw error;
    return { network: onnxProgram(target, readOnnx(await readBytes(target)), thickness), conversion: undefined, weights: {} };
  });
  if ("model" in network) return network;
  if (!weights) return misused("cli-argument", `${network.name} has no weights`, "Give them: --weights FILE (.safetensors, .pth, .npz, .onnx).");
  if (isPlanar(network)) misused("cli-argument", `${network.name} takes images, not volumes`, "Make it 3D: --to acs, or another converter.");
  const model = modelWith(network, weights, thickness);
  return { model: (x) => fitting(conversion, () => model(x), { windows: true }), channels: channelsOf(network), name: network.name, reads: network.inputs, network };
};

/** A network on a volume; slices of `thickness` mm reach the layers that ask for it. */
const modelWith = (network: Network, weights: StateDict, thickness: number): AnyModel => {
  const params = Object.fromEntries(Object.entries(weights).map(([name, array]) => [name, constant<Tensor>(toFloat32(array), array.shape)]));
  const [first, ...others] = network.inputs as [string, ...string[]];
  const strange = others.find((name) => name !== "thickness");
  if (strange !== undefined) misused("cli-argument", `${network.name} reads ${strange} as well, which no option gives`, "Run it from a program: indexical run FILE#EXPORT.");
  return (x) => apply(network, params, { [first]: x, ...(others.length > 0 ? { thickness: constant<Tensor>(new Float32Array(x.shape[0]!).fill(thickness), [x.shape[0]!, 1]) } : {}) });
};

/** Extents that the network will see, or could: those of the volume need not be multiples of what it strides by. */
const windowExtents = ({ shape }: VolumeImage, window: ReturnType<typeof windowOf>, divisor = 1): readonly number[] =>
  window === undefined || window === "whole" ? shape.toReversed().map((n) => (window === "whole" || !(divisor >= 1) ? n : Math.ceil(n / divisor) * divisor)) : typeof window === "number" ? [window, window, window] : window;

/** Whether the network gives one row of scores for each sample, and not a score for each voxel. */
const isClassifier = (model: AnyModel, channels: number, extents: readonly number[]): boolean => nodeOf(model(input<Volume>("x", [1, channels, ...extents]))).shape.length === 2;

/** The volumes of an image with a fourth axis, which are channels; else the one that it is. */
const volumesOf = (image: VolumeImage): readonly VolumeImage[] => {
  const shape = image.shape.slice(0, 3);
  const size = shape.reduce((a, b) => a * b, 1);
  return Array.from({ length: image.data.length / size }, (_, c) => ({ ...image, data: image.data.subarray(c * size, (c + 1) * size), shape }));
};

/** One volume a channel; of a single one the same values in every channel, as published networks for one modality have it. @throws cli-argument */
const inChannels = (images: readonly VolumeImage[], channels: number, name: string): VolumeImage => {
  const [first] = images as readonly [VolumeImage, ...VolumeImage[]];
  if (images.length !== 1 && images.length !== channels)
    return misused("cli-argument", `the file holds ${images.length} volumes, and ${name} reads ${channels} ${channels === 1 ? "channel" : "channels"}`, "Give a file of one volume, or of one for each channel.");
  if (channels === 1) return first;
  const data = new Float32Array(first.data.length * channels);
  for (let c = 0; c < channels; c++) data.set(images[c % images.length]!.data, c * first.data.length);
  return { ...first, data, shape: [...first.shape, channels] };
};

/** What to know where windows overlap by less than the network sees: its scores there are not those of the whole volume. */
const borderNote = (network: Network, channels: number, window: readonly number[], extents: readonly number[], overlap: number): string | undefined => {
  const [first, ...others] = network.inputs as [string, ...string[]];
  const { receptiveField } = summary(network, { [first]: [1, channels, ...window], ...Object.fromEntries(others.map((name) => [name, [1, 1]])) });
  const shared = window.map((n, axis) => (n >= extents[axis]! ? Infinity : n - Math.max(1, Math.round(n * (1 - overlap)))));
  if (receptiveField.every((n, axis) => n <= shared[axis]! + 1 || shared[axis] === Infinity)) return undefined;
  const field = receptiveField.map((n) => (n === Infinity ? "all" : n)).join(" x ");
  return `windows overlap by ${shared.map((n) => (n === Infinity ? "all" : n)).join(" x ")} and the network sees ${field} voxels: near the borders of windows it sees padding instead of the volume; a larger --window or --overlap gives less of that`;
};

const writeResult = async ({ output }: RunNetworkArguments, { volume, classes }: Prediction<VolumeImage>, restore: (labels: Pick<VolumeImage, "data" | "shape">) => VolumeImage): Promise<void> => {
  if (volume.data instanceof Float32Array) {
    if (isImage(output)) await writeVolumeFile(output, volume);
    else await writeArraysFile(output, { output: ndarray(volume.data, volume.shape.toReversed()) });
    console.log(`scores [${volume.shape.toReversed().join(", ")}] -> ${output}`);
    return;
  }
  const labels = restore({ data: volume.data, shape: volume.shape });
  if (isImage(output)) await writeVolumeFile(output, labels);
  else await writeArraysFile(output, { output: ndarray(labels.data as Uint8Array, labels.shape.toReversed()) });
  const counts = new Array<number>(Math.max(2, classes)).fill(0);
  for (const v of labels.data as Uint8Array) counts[v]!++;
  console.log(`labels [${labels.shape.join(", ")}] -> ${output}; voxels of each class: ${counts.join(", ")}`);
};
