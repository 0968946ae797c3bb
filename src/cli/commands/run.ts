import { compile, type ProgramOutput, type Results } from "../../compiler/index.js";
import type { AnyTensor } from "../../dsl/index.js";
import {
  dtypeOf, elementCount, gunzip, isGzip, isNifti, ndarray, ONLY, readArrays, readNifti, toFloat64, type Arrays, type NdArray, type VolumeImage,
} from "../../lib/formats/index.js";
import { readBytes, writeArraysFile } from "../../lib/formats/node.js";
import type { NumberArray, Result } from "../../runtime/backend.js";
import { suggest } from "../../dsl/suggest.js";
import { parseInputs, parseShapes } from "../arguments.js";
import { differentiated, type GradientArguments } from "../gradient.js";
import { loadProgram } from "../load.js";
import { interruptible, progressBar } from "../progress.js";
import { readTuningFile, writeTuningFile, type TuningArguments } from "../tuning.js";
import { exit, misused } from "../usage.js";
import { meansNetwork, runNetwork, type RunNetworkArguments } from "./run-network.js";

export interface RunArguments extends TuningArguments, GradientArguments, RunNetworkArguments {
  readonly shape?: readonly string[];
}

interface Input {
  readonly data: NumberArray;
  readonly shape: readonly number[];
}

/** `indexical run`: files in, a file out; of a program, or of a network on a volume. */
export const run = async (target: string, options: RunArguments): Promise<number> => {
  if (meansNetwork(target, options)) return runNetwork(target, options);
  const program = await loadProgram(target);
  const { inputs, image } = await readInputs(options);
  const shapes = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
  await interruptible(async (signal) => {
    const compiled = await compile<Record<string, AnyTensor>, ProgramOutput>(differentiated(program.run, options), shapes, { device: options.device, signal, ...readTuningFile(options) });
    writeTuningFile(options, compiled.tuning);
    const bar = progressBar(compiled.device);
    try {
      const start = performance.now();
      const results = outputs(await compiled.run(inputs, { signal, onProgress: bar.update }));
      const ms = performance.now() - start;
      bar.stop();
      await write(options.output, results, image);
      for (const [name, { shape, dtype }] of Object.entries(results)) console.log(`${name} [${shape.join(", ")}] ${dtype} -> ${options.output}`);
      console.log(`ran on ${compiled.device} in ${ms.toFixed(1)} ms${compiled.tuning ? ` (${compiled.why.split("; ").slice(1).join("; ")})` : ""}`);
    } finally {
      bar.stop();
      compiled.dispose();
    }
  });
  return exit.done;
};

const readInputs = async ({ input, shape }: RunArguments): Promise<{ inputs: Record<string, Input>; image: VolumeImage | undefined }> => {
  const shapes = parseShapes(shape);
  const inputs: Record<string, Input> = {};
  let image: VolumeImage | undefined;
  for (const { name, file } of parseInputs(input)) {
    const [path, key] = cut(file);
    const read = await readFile(path);
    image ??= read.image;
    for (const [input, array] of Object.entries(name === undefined ? several(path, read.arrays) : { [name]: pick(path, read.arrays, key, name) })) {
      if (Object.hasOwn(inputs, input)) misused("cli-argument", `the input ${input} is given twice; the second time by ${path}`);
      inputs[input] = shaped(input, array, shapes[input]);
    }
  }
  for (const name of Object.keys(shapes))
    if (!Object.hasOwn(inputs, name)) misused("cli-argument", `--shape ${name}=... has no --input ${name}=FILE`, `With run, --shape gives the numbers of a file another shape.${suggest(name, Object.keys(inputs))}`);
  return { inputs, image };
};

/** `FILE#ARRAY` */
const cut = (file: string): readonly [path: string, key: string | undefined] => {
  const at = file.lastIndexOf("#");
  return at < 0 ? [file, undefined] : [file.slice(0, at), file.slice(at + 1)];
};

const readFile = async (path: string): Promise<{ arrays: Arrays; image: VolumeImage | undefined }> => {
  const bytes = await readBytes(path);
  const file = isGzip(bytes) ? gunzip(bytes) : bytes;
  return { arrays: readArrays(file, path), image: isNifti(file) ? readNifti(file) : undefined };
};

/** The arrays of a file that was given without a name: each is the input of its own name. */
const several = (path: string, arrays: Arrays): Arrays => {
  const names = Object.keys(arrays);
  if (names.length === 1 && names[0] === ONLY) misused("cli-argument", `${path} holds one array without a name`, `Say which input it is: --input x=${path}.`);
  return arrays;
};

const pick = (path: string, arrays: Arrays, key: string | undefined, input: string): NdArray => {
  const names = Object.keys(arrays);
  const chosen = key ?? (names.length === 1 ? names[0] : Object.hasOwn(arrays, input) ? input : undefined);
  if (chosen !== undefined && names.includes(chosen)) return arrays[chosen]!;
  const listed = `It holds ${names.slice(0, 20).join(", ")}${names.length > 20 ? ", ..." : ""}.`;
  return chosen === undefined
    ? misused("cli-argument", `${path} holds ${names.length} arrays, none of them called ${input}`, `Say which: --input ${input}=${path}#${names[0]}. ${listed}`)
    : misused("cli-argument", `${path} has no array ${chosen}`, listed + suggest(chosen, names));
};

const shaped = (name: string, array: NdArray, shape: readonly number[] = array.shape): Input => {
  if (elementCount(shape) !== array.data.length)
    misused("cli-argument", `--shape ${name}=${shape.join(",")} has ${elementCount(shape)} elements, the array [${array.shape.join(", ")}] of the file ${array.data.length}`);
  const { data } = array;
  return { data: data instanceof BigInt64Array || data instanceof BigUint64Array ? toFloat64(array) : data, shape };
};

const isResult = (value: Results<ProgramOutput>): value is Result => "data" in value && ArrayBuffer.isView(value.data);

const outputs = (results: Results<ProgramOutput>): Arrays => {
  const record: Readonly<Record<string, Result>> = isResult(results) ? { output: results } : results;
  return Object.fromEntries(Object.entries(record).map(([name, { data, shape }]) => [name, ndarray(data, shape, dtypeOf(data))]));
};

/** NIfTI has no batch and no channels: leading axes of extent 1 go, and the place of the input image stays where the grid is the same. */
const write = (path: string, results: Arrays, image: VolumeImage | undefined): Promise<void> => {
  if (!/\.nii(\.gz)?$/i.test(path)) return writeArraysFile(path, results);
  const volumes = Object.fromEntries(Object.entries(results).map(([name, array]) => [name, volume(name, array)]));
  const [first] = Object.values(volumes);
  const same = image !== undefined && first?.shape.join() === image.shape.join();
  if (image && !same) console.error(`the output has another grid than the input image, [${image.shape.join(", ")}]: it is written without its affine`);
  return writeArraysFile(path, volumes, image && same ? { like: image } : {});
};

const volume = (name: string, { data, shape, dtype }: NdArray): NdArray => {
  const cut = Math.max(0, shape.length - 3);
  if (shape.slice(0, cut).some((extent) => extent !== 1))
    misused("cli-argument", `the output ${name} has shape [${shape.join(", ")}]; a NIfTI image here has three axes`, "Write .npy, .npz or .safetensors.");
  return { data, shape: shape.slice(cut), dtype };
};
