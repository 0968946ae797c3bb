// Finds what stands out in a brain MRI with U2-Netp, a network for photographs, whose convolutions are made 3D in three ways.
//   node scripts/run.mjs examples/u2net/main.ts
//   node scripts/run.mjs examples/u2net/main.ts --device webgpu --out results
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { compile, type Tensor } from "indexical";
import {
  bitmap, convert, converters, encodePng, forward, montage, networkOfOnnx, parameterShapes, paste, prepare, readNifti, reoriented, resampled, summary, toFloat32, write,
  type Network, type StateDict,
} from "indexical/lib";
import { dice, headMask, share, type Mask } from "./head.js";

const { values: options } = parseArgs({ options: { device: { type: "string", default: "auto" }, out: { type: "string", default: "out" } } });
const { device, out } = options;
const file = (path: string): Promise<Uint8Array> => readFile(new URL(`../../data/${path}`, import.meta.url));

// Axial slices as a photograph would show them, in voxels of 4 mm; halved twice, since each step takes the mean of two.
const scan = readNifti(await file("volumes/t1_crop.nii.gz"));
const { image, restore } = prepare(scan, reoriented("LPS"), resampled(2), resampled(4));
const shape = image.shape.toReversed();
const most = Float32Array.from(image.data).reduce((a, b) => Math.max(a, b), 0);
const grey = Float32Array.from(image.data, (v) => v / most);

/** Three equal channels, normalised as the network's photographs were. */
const pixels = (values: Float32Array): Float32Array => {
  const [mean, deviation] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];
  return Float32Array.from({ length: 3 * values.length }, (_, n) => {
    const channel = Math.floor(n / values.length);
    return (values[n % values.length] - mean[channel]) / deviation[channel];
  });
};

interface Row {
  readonly name: string;
  readonly parameters: number;
  readonly multiplyAdds: number;
  /** Of all threads together. */
  readonly seconds: number;
  readonly mask: Mask;
}

/** The voxels that stand out: above one half, when what the network gives is stretched to [0, 1] as its authors do. */
const salient = (data: Float32Array): Mask => {
  const [low, high] = data.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  return Uint8Array.from(data, (v) => ((v - low) / (high - low) > 0.5 ? 1 : 0));
};

const measure = async (name: string, network: Network, state: StateDict, x: { readonly data: Float32Array; readonly shape: readonly number[] }): Promise<Row> => {
  const [input] = network.inputs;
  const program = (all: Record<string, Tensor>): Tensor => forward(network, all, { [input]: all[input] }).outputs[0] as Tensor;
  const compiled = await compile(program, { ...parameterShapes(network), [input]: x.shape }, { device });
  const weights = Object.fromEntries(Object.entries(state).map(([key, array]) => [key, toFloat32(array)]));
  const before = process.cpuUsage();
  const { data } = await compiled.run({ ...weights, [input]: x });
  const { user, system } = process.cpuUsage(before);
  compiled.dispose();
  const { parameters, multiplyAdds } = summary(network, { [input]: x.shape });
  return { name, parameters, multiplyAdds, seconds: (user + system) / 1e6, mask: salient(Float32Array.from(data)) };
};

// The graph of the file becomes a network of layers, and that takes any converter. Of its seven masks the first is wanted.
const { network, state } = networkOfOnnx(await file("weights/u2netp/u2netp.onnx"), { name: "U2-Netp", outputs: ["1959"] });
console.log(`U2-Netp, ${network.nodes.length} layers, on ${shape.join(" x ")} voxels of 4 mm`);
const volume = { data: pixels(grey), shape: [1, 3, ...shape] };
const rows: Row[] = [];
for (const [name, converter] of Object.entries({ ACS: converters.acs(), "2.5D": converters.conv25d(), I3D: converters.i3d() })) {
  const conversion = convert(network, converter);
  rows.push(await measure(name, conversion.network, conversion.weights(state), volume));
}

const head = headMask(grey, shape);
console.log(`\nas    parameters  G multiply-adds  CPU s  voxels that stand out  Dice with the head`);
for (const { name, parameters, multiplyAdds, seconds, mask } of rows)
  console.log(`${name.padEnd(4)}  ${String(parameters).padEnd(10)}  ${(multiplyAdds / 1e9).toFixed(1).padEnd(15)}  ${seconds.toFixed(1).padEnd(5)}  ${`${(100 * share(mask)).toFixed(1)} %`.padEnd(21)}  ${dice(mask, head).toFixed(3)}`);
console.log(`the head, by Otsu's threshold, is ${(100 * share(head)).toFixed(1)} % of the voxels`);
const pairs = rows.flatMap((a, n) => rows.slice(n + 1).map((b) => `${a.name} and ${b.name} ${dice(a.mask, b.mask).toFixed(3)}`));
console.log(`Dice of the masks with each other: ${pairs.join(", ")}`);

// One column each, on the grid of the scan.
const columns = [{ name: "head by threshold", mask: head }, ...rows].map(({ name, mask }) => ({ name, picture: montage({ volume: scan, labels: restore({ data: mask, shape: image.shape }).data as Uint8Array, columns: 1 }) }));
const [width, height] = (["width", "height"] as const).map((side) => Math.max(...columns.map(({ picture }) => picture[side])));
const line = 16;
const sheet = bitmap(columns.length * width, height + line);
columns.forEach(({ name, picture }, n) => {
  paste(sheet, picture, n * width, line);
  write(sheet, name, n * width + 4, 4);
});
// The last line of each column says the same.
paste(sheet, bitmap(sheet.width, line), 0, height);
write(sheet, "the patient's left is on the left", 4, height + 4, [170, 170, 170]);
await mkdir(out, { recursive: true });
await writeFile(join(out, "u2net.png"), encodePng(sheet));
console.log(`wrote ${relative(".", join(out, "u2net.png"))}`);
