import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { acs, convert } from "../../src/lib/converters/index.js";
import { ndarray, readArrays, readNifti, readOnnx, writeNifti, writeNpy, writeOnnx, writeSafetensors } from "../../src/lib/formats/index.js";
import { exportOnnx } from "../../src/lib/onnx/index.js";
import { initialise, unet, type StateDict } from "../../src/lib/networks/index.js";
import { writeDicom } from "../lib/volumes/dicom-writer.js";
import { indexical, prepare } from "./indexical.js";

let folder = "";
const at = (name: string): string => join(folder, name);
const cli = (...args: string[]) => indexical(args, folder);
const small = unet({ classes: 3, width: 6 });
const weights: StateDict = initialise(small, 1);
const affine = [[-2, 0, 0, 10], [0, 3, 0, 20], [0, 0, 4, 30]] as const;

beforeAll(() => {
  prepare();
  folder = mkdtempSync(join(tmpdir(), "indexical-networks-"));
  writeFileSync(at("unet.safetensors"), writeSafetensors(weights));
  const data = Int16Array.from({ length: 8 * 12 * 16 }, (_, n) => (n * 37) % 100);
  writeFileSync(at("scan.nii.gz"), writeNifti({ data, shape: [16, 12, 8], affine }, { gzip: true }));
  writeFileSync(at("scan.npy"), writeNpy(ndarray(Float32Array.from(data), [8, 12, 16])));
  writeFileSync(
    at("nets.ts"),
    `import { parts, network, type Network } from "indexical/lib";
     export const tiny: Network = network("tiny", ["x"], (x) => parts.conv(3, "only", 1, 2, { kernel: 1 })(x));
     export const made = ({ channels = 1 } = {}) => network("made", ["x"], (x) => parts.conv(3, "only", channels, 2, { kernel: 1 })(x));
     export const number = 3;`,
  );
  writeFileSync(at("tiny.safetensors"), writeSafetensors({ "only.weight": ndarray(Float32Array.of(1, -1), [2, 1, 1, 1, 1]), "only.bias": ndarray(Float32Array.of(0, 60), [2]) }));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe("summary", () => {
  test("of a network of the library, as it is and made 3D", () => {
    const image = cli("summary", "unet:classes=3,width=6", "--shape", "x=1,1,16,16", "--json");
    const volume = cli("summary", "unet:classes=3,width=6", "--to", "acs", "--shape", "x=1,1,8,16,16", "--json");
    expect([image.status, volume.status]).toEqual([0, 0]);
    const [two, three] = [image, volume].map(({ stdout }) => JSON.parse(stdout) as { parameters: number; outputs: number[][]; multiplyAdds: number });
    expect(two!.parameters).toBe(three!.parameters);
    expect(two!.outputs).toEqual([[1, 3, 16, 16]]);
    expect(three!.outputs).toEqual([[1, 3, 8, 16, 16]]);
    expect(cli("summary", "nets.ts#tiny", "--shape", "x=1,1,2,3,4").stdout).toMatch(/only +conv 1 to 2.*\n[^]*parameters +4\n/);
    expect(cli("summary", "nets.ts#made", "--shape", "x=1,1,2,3,4").stdout).toMatch(/^made\n/);
  });

  test("names are those that people write", () => {
    const parametersOf = (...to: string[]): number => (JSON.parse(cli("summary", "UNet:classes=3,width=6", "--to", ...to, "--shape", "x=1,1,8,16,16", "--json").stdout) as { parameters: number }).parameters;
    expect(parametersOf("2.5d")).toBe(parametersOf("conv25d"));
    expect(parametersOf("soft-acs")).toBe(parametersOf("softAcs"));
    expect(parametersOf("alignshift")).toBe(parametersOf("alignShift"));
  });

  test("what is wrong is said with what there is", () => {
    expect(cli("summary", "unet:clases=3", "--shape", "x=1,1,8,8")).toMatchObject({ status: 2, stderr: expect.stringMatching(/unet has no setting clases .*\n.*Did you mean classes\?/) as string });
    expect(cli("summary", "unet:classes=many", "--shape", "x=1,1,8,8").stderr).toMatch(/unet: classes is many/);
    expect(cli("summary", "p3d:depth=17", "--shape", "x=1,1,9,8,8").stderr).toMatch(/depth is 17 .*\n.*one of 18ba, 34ba, 18, 63, 131, 199/);
    expect(cli("summary", "unet", "--to", "asc", "--shape", "x=1,1,8,8").stderr).toMatch(/no converter asc .*\n.*Did you mean acs\?/);
    expect(cli("summary", "unet")).toMatchObject({ status: 2, stderr: expect.stringMatching(/input x, and no shape was given/) as string });
    expect(cli("summary", "une", "--shape", "x=1,1,8,8").stderr).toMatch(/une is no network .*\n.*Did you mean unet\?/);
    expect(cli("summary", "none.onnx", "--shape", "x=1,1,8,8")).toMatchObject({ status: 2, stderr: expect.stringMatching(/none\.onnx is no network, and there is no such file/) as string });
    expect(cli("summary", "unet.safetensors", "--shape", "x=1,1,8,8")).toMatchObject({ status: 2, stderr: expect.stringMatching(/unet\.safetensors holds no network/) as string });
    expect(cli("summary", "nets.ts#number", "--shape", "x=1,1,8,8").stderr).toMatch(/nets\.ts#number is no network \[/);
    writeFileSync(at("cut.onnx"), writeOnnx(exportOnnx(small, weights, { x: [1, 1, 8, 8] })).subarray(0, 5000));
    expect(cli("summary", "cut.onnx", "--shape", "x=1,1,8,8")).toMatchObject({ status: 1, stderr: expect.stringMatching(/\[format-\w+\]/) as string });
  });
});

describe("convert", () => {
  test("writes the weights of the 3D network, a report, and an ONNX model", () => {
    const ended = cli("convert", "unet.safetensors", "--net", "unet:classes=3,width=6", "--to", "i3d", "--output", "i3d", "--shape", "x=1,1,8,8,8");
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    expect(ended.stdout).toMatch(/enc1\.encode\.0 +conv 1 to 6, 3 x 3, padding 1 -> i3d \(axis 0\) +repeated 3 times along the depth, divided by 3 +60 to 168 /);
    expect(ended.stdout).toMatch(/\nmultiply-adds  [\d,]+ to [\d,]+\n/);
    const written = readArrays(readFileSync(at("i3d/weights.safetensors")));
    const [before, after] = [weights["enc1.encode.0.weight"]!, written["enc1.encode.0.weight"]!];
    expect(after.shape).toEqual([6, 1, 3, 3, 3]);
    expect([...(after.data as Float32Array)].slice(0, 9)).toEqual([...(before.data as Float32Array)].slice(0, 9).map((v) => Math.fround(v / 3)));
    expect(readOnnx(readFileSync(at("i3d/model.onnx"))).graph.inputs[0]).toMatchObject({ name: "x" });
    expect(JSON.parse(readFileSync(at("i3d/report.json"), "utf8"))).toMatchObject({ network: "U-Net", parameters: { before: expect.any(Number) as number } });
  });

  test("a slice thickness needs no shape; channels of the image are those of the 2D network", () => {
    const ended = cli("convert", "unet.safetensors", "--net", "unet:classes=3,width=6", "--to", "alignshift:firstConvChannels=2,pools=in-plane", "--output", "shifts", "--shape", "x=1,2,3,8,8");
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    expect(readOnnx(readFileSync(at("shifts/model.onnx"))).graph.inputs.map(({ name }) => name)).toEqual(["x", "thickness"]);
  });

  test("what is wrong is said before anything is written", () => {
    const acs = (...more: string[]) => cli("convert", "unet.safetensors", "--net", "unet:classes=3,width=6", "--to", "acs", "--output", "nothing", ...more);
    expect(acs("--shape", "x=1,1,3,8,8")).toMatchObject({ status: 1, stdout: "", stderr: expect.stringMatching(/^layer pool_2 of U-Net, acs: maxPool: .* \[lib-extent\]\n.*--to acs:pools=in-plane/) as string });
    expect(acs("--shape", "y=1,1,8,8,8")).toMatchObject({ status: 2, stdout: "", stderr: expect.stringMatching(/U-Net, acs has no input y .*\n.*inputs are x\./) as string });
    expect(existsSync(at("nothing"))).toBe(false);
    expect(cli("convert", "none.pth", "--to", "acs", "--output", "nothing")).toMatchObject({ status: 2, stderr: expect.stringMatching(/^cannot read none\.pth: there is no such file \[format-file\]\n$/) as string });
    for (const to of ["tsm:nFold=0", "a3d:dimension=0", "alignShift:refThickness=-2"])
      expect(cli("convert", "unet.safetensors", "--net", "unet:classes=3,width=6", "--to", to, "--output", "nothing")).toMatchObject({ status: 1, stderr: expect.stringMatching(/\[lib-argument\]/) as string });
  });

  test("weights that fit no network are refused", () => {
    expect(cli("convert", "unet.safetensors", "--to", "acs", "--output", "no")).toMatchObject({ status: 2, stderr: expect.stringMatching(/weights of no network that is known/) as string });
    expect(cli("convert", "unet.safetensors", "--net", "unet:classes=4,width=6", "--to", "acs", "--output", "no").stderr).toMatch(/final\.weight of the weights has shape \[3, 3, 1, 1\]; U-Net needs \[4, 3, 1, 1\]/);
  });
});

describe("run", () => {
  const model = ["unet:classes=3,width=6", "--to", "acs", "--weights", "unet.safetensors"];

  test("a network on a volume gives labels in its place; windows that cover it once give what the whole gives", () => {
    const ended = cli("run", ...model, "--input", "scan.nii.gz", "--intensity", "min-max", "--divisor", "4", "--output", "labels.nii.gz", "--device", "wasm");
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    expect(ended.stdout).toMatch(/^U-Net, acs on 16 x 12 x 8 voxels of 2 x 3 x 4 mm, LAS\nlabels \[16, 12, 8\] -> labels\.nii\.gz; voxels of each class: \d+, \d+, \d+\n1 window of 8 x 12 x 16 on wasm in [\d.]+ s\n$/);
    const labels = readNifti(readFileSync(at("labels.nii.gz")));
    expect(labels).toMatchObject({ shape: [16, 12, 8], affine });
    // The converted weights are taken as they are.
    writeFileSync(at("acs.safetensors"), writeSafetensors(convert(small, acs()).weights(weights)));
    cli("run", "unet:classes=3,width=6", "--to", "acs", "--weights", "acs.safetensors", "--input", "scan.nii.gz", "--intensity", "min-max", "--window", "8,12,16", "--output", "again.npy", "--device", "wasm");
    const again = readArrays(readFileSync(at("again.npy")));
    expect(Object.values(again)[0]).toMatchObject({ shape: [8, 12, 16] });
    expect([...(Object.values(again)[0]!.data as Uint8Array)]).toEqual([...labels.data]);
  });

  test("an ONNX model is a network with its weights", () => {
    const image = exportOnnx(small, weights, { x: [1, 1, 12, 16] });
    writeFileSync(at("unet.onnx"), writeOnnx(image));
    const common = ["--input", "scan.nii.gz", "--intensity", "min-max", "--window", "8,12,16", "--device", "wasm"];
    expect(cli("run", "unet.onnx", "--to", "acs", ...common, "--output", "onnx.npy")).toMatchObject({ status: 0, stderr: "" });
    cli("run", ...model, ...common, "--output", "named.npy");
    expect(readFileSync(at("onnx.npy"))).toEqual(readFileSync(at("named.npy")));
    expect(cli("convert", "unet.onnx", "--to", "conv25d", "--output", "onnx-25d")).toMatchObject({ status: 0, stderr: "" });
    expect(Object.keys(readArrays(readFileSync(at("onnx-25d/weights.safetensors")))).length).toBeGreaterThan(10);
  });

  test("the ONNX model that convert wrote runs as it is, and gives what the network gives", () => {
    for (const to of ["a3d:dimension=8", "alignShift:pools=in-plane"]) {
      const common = ["--input", "scan.nii.gz", "--intensity", "min-max", "--device", "wasm"];
      cli("convert", "unet.safetensors", "--net", "unet:classes=3,width=6", "--to", to, "--output", "written", "--shape", "x=1,1,8,12,16");
      expect(cli("run", "written/model.onnx", ...common, "--output", "lowered.npy")).toMatchObject({ status: 0, stderr: "" });
      cli("run", "unet:classes=3,width=6", "--weights", "unet.safetensors", "--to", to, ...common, "--output", "named.npy");
      expect(readFileSync(at("lowered.npy"))).toEqual(readFileSync(at("named.npy")));
    }
  });

  test("of FILE#EXPORT, in windows, as labels and as scores", () => {
    const run = (...more: string[]) => cli("run", "nets.ts#tiny", "--weights", "tiny.safetensors", "--input", "scan.npy", "--window", "5", "--overlap", "0", "--device", "wasm", ...more);
    expect(run("--output", "tiny.npy").stdout).toMatch(/24 windows of 5 x 5 x 5/);
    const scan = Object.values(readArrays(readFileSync(at("scan.npy"))))[0]!.data as Float32Array;
    expect([...(Object.values(readArrays(readFileSync(at("tiny.npy"))))[0]!.data as Uint8Array)]).toEqual([...scan].map((v) => (60 - v > v ? 1 : 0)));
    run("--scores", "--output", "scores.npy");
    expect(Object.values(readArrays(readFileSync(at("scores.npy"))))[0]).toMatchObject({ shape: [2, 8, 12, 16] });
  });

  test("a folder of DICOM slices, other files among them; of several series one is chosen", () => {
    mkdirSync(at("series"));
    const slice = (k: number, series: string, description: string): Uint8Array =>
      writeDicom({ rows: 8, columns: 8, pixels: Array.from({ length: 64 }, (_, n) => n + 64 * k), position: [0, 0, 5 * k], thickness: 6, series, description, instance: k });
    for (let k = 0; k < 4; k++) writeFileSync(at(`series/${9 - k}.dcm`), slice(k, "1.2.3", "thick"));
    writeFileSync(at("series/notes.txt"), "not a slice");
    const run = (...more: string[]) =>
      cli("run", "unet:classes=3,width=6", "--to", "alignShift:pools=in-plane", "--weights", "unet.safetensors", "--input", "series", "--intensity", "min-max", "--output", "ct.nii.gz", "--device", "wasm", ...more);
    expect(run()).toMatchObject({ status: 0, stdout: expect.stringMatching(/^U-Net, alignShift on 8 x 8 x 4 voxels of 1 x 1 x 5 mm, LPS, slices 6 mm thick\n/) as string, stderr: "left out, as no DICOM slices: notes.txt\n" });
    expect(readNifti(readFileSync(at("ct.nii.gz"))).spacing).toEqual([1, 1, 5]);
    expect(run("--thickness", "2.5").stdout).toMatch(/slices 2\.5 mm thick/);
    for (let k = 0; k < 2; k++) writeFileSync(at(`series/thin${k}.dcm`), slice(k, "1.2.4", "thin"));
    expect(run()).toMatchObject({ status: 1, stderr: expect.stringMatching(/2 volumes \[format-dicom-series\]\n.*--series/) as string });
    expect(run("--series", "thin").stdout).toMatch(/8 x 8 x 2 voxels/);
  });

  test("the fourth axis of a file holds channels, each prepared by itself", () => {
    writeFileSync(
      at("two.ts"),
      `import { network, parts } from "indexical/lib";
       export const two = network("two", ["x"], (x) => parts.conv(3, "only", 2, 2, { kernel: 1 })(x));`,
    );
    writeFileSync(at("two.safetensors"), writeSafetensors({ "only.weight": ndarray(Float32Array.of(1, 0, 0, 1), [2, 2, 1, 1, 1]), "only.bias": ndarray(Float32Array.of(0, 0), [2]) }));
    // The second volume runs the other way, at a hundred times the values.
    const ramp = Float32Array.from({ length: 8 }, (_, n) => n);
    writeFileSync(at("both.nii"), writeNifti({ data: Float32Array.of(...ramp, ...ramp.map((v) => 100 * (7 - v))), shape: [2, 2, 2, 2] }));
    const run = (input: string) => cli("run", "two.ts#two", "--weights", "two.safetensors", "--input", input, "--intensity", "min-max", "--output", "two.nii", "--device", "wasm");
    expect(run("both.nii")).toMatchObject({ status: 0, stderr: "" });
    expect(readNifti(readFileSync(at("two.nii")))).toMatchObject({ shape: [2, 2, 2], data: Uint8Array.of(1, 1, 1, 1, 0, 0, 0, 0) });
    writeFileSync(at("three.nii"), writeNifti({ data: Float32Array.from({ length: 24 }, (_, n) => n), shape: [2, 2, 2, 3] }));
    expect(run("three.nii")).toMatchObject({ status: 2, stderr: expect.stringMatching(/holds 3 volumes, and two reads 2 channels/) as string });
  });

  test("labels are counted as they are written; windows that see less than the network would are named", () => {
    const labels = (...more: string[]) => cli("run", ...model, "--input", "scan.nii.gz", "--intensity", "min-max", "--output", "counted.npy", "--device", "wasm", ...more);
    const coarse = labels("--spacing", "4,6,8", "--divisor", "4");
    const counts = /each class: ([\d, ]+)/.exec(coarse.stdout)![1]!.split(", ").map(Number);
    expect(counts.reduce((a, b) => a + b)).toBe(16 * 12 * 8);
    expect(coarse.stdout).not.toMatch(/the network sees/);
    expect(labels("--spacing", "4,6,8")).toMatchObject({ status: 1, stderr: expect.stringMatching(/^layer \w+ of U-Net, acs: .*\n.*--divisor 4/) as string });
    expect(labels("--window", "8,12,8").stdout).toMatch(/windows overlap by all x all x 2 and the network sees \d+ x \d+ x \d+ voxels/);
  });

  test("scores as an image lie where the network saw the volume", () => {
    expect(cli("run", "nets.ts#tiny", "--weights", "tiny.safetensors", "--input", "scan.nii.gz", "--spacing", "4,6,8", "--orientation", "RAS", "--scores", "--output", "scores.nii.gz", "--device", "wasm")).toMatchObject({ status: 0, stderr: "" });
    const { shape, spacing, orientation } = readNifti(readFileSync(at("scores.nii.gz")));
    expect({ shape, spacing: spacing.slice(0, 3), orientation }).toEqual({ shape: [8, 6, 4, 2], spacing: [4, 6, 8], orientation: "RAS" });
  });

  test("what does not apply is refused before anything runs", () => {
    const run = (...more: string[]) => cli("run", ...model, "--input", "scan.nii.gz", ...more);
    expect(run("--output", "o.png")).toMatchObject({ status: 2, stdout: "", stderr: expect.stringMatching(/--output o\.png ends in none of/) as string });
    expect(run("--output", "o.npy", "--grad")).toMatchObject({ status: 2, stderr: expect.stringMatching(/--grad is for programs/) as string });
    expect(run("--output", "o.npy", "--thickness", "2")).toMatchObject({ status: 2, stderr: expect.stringMatching(/U-Net, acs does not read a thickness/) as string });
    expect(run("--output", "o.npy", "--thickness", "-2")).toMatchObject({ status: 2, stderr: expect.stringMatching(/--thickness -2 is no thickness/) as string });
    expect(run("--output", "o.npy", "--series", "1.2")).toMatchObject({ status: 2, stderr: expect.stringMatching(/is no folder of DICOM files/) as string });
    expect(cli("run", ...model, "--input", ".", "--output", "o.npy")).toMatchObject({ status: 2, stderr: expect.stringMatching(/none of which is a DICOM slice/) as string });
    expect(cli("run", "resnet18:classes=2", "--input", "scan.nii.gz", "--output", "o.npy")).toMatchObject({ status: 2, stderr: expect.stringMatching(/ResNet-18 has no weights/) as string });
  });

  test("what is missing or does not fit is said", () => {
    const base = ["--input", "scan.nii.gz", "--output", "o.nii.gz"];
    expect(cli("run", "unet", ...base)).toMatchObject({ status: 2, stderr: expect.stringMatching(/U-Net has no weights/) as string });
    expect(cli("run", "unet:classes=3,width=6", "--weights", "unet.safetensors", ...base).stderr).toMatch(/U-Net takes images, not volumes .*\n.*--to acs/);
    expect(cli("run", ...model, ...base, "--window", "big").stderr).toMatch(/--window big is no window/);
    expect(cli("run", ...model, ...base, "--intensity", "minmax").stderr).toMatch(/no intensity minmax .*\n.*Did you mean min-max\?/);
    expect(cli("run", ...model, ...base, "--spacing", "1,1").stderr).toMatch(/--spacing 1,1 is no three voxel sizes/);
    expect(cli("run", ...model, "--output", "o.nii.gz").stderr).toMatch(/0 inputs for a network/);
  });
});
