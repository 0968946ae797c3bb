import { Command, CommanderError } from "commander";
import { dumpable } from "../compiler/explain.js";
import { exit, report } from "./usage.js";
import { version } from "../version.js";

const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

const files = "\nFILE is TypeScript or JavaScript, anywhere on disk; it imports indexical whether or not it is installed there.\nEXPORT may be left out when FILE exports one program.";

const shape = ["--shape <input=extents>", "the shape of an input, once for each: --shape x=1,3,32,32,32", collect] as const;

const grad = ["--grad", "the gradient of the sum of output times g, as grad.<input>; g has the shape of the output (for several outputs, g.<name> each)"] as const;
const wrt = ["--wrt <inputs>", "with --grad, the inputs to differentiate by: --wrt x,w; all when left out", collect] as const;

const tune = ["--tune", "measure schedules of each kernel first, each checked before it is timed (wasm, webgpu)"] as const;
const tuning = ["--tuning <file>", "schedules that were measured before, as JSON; with --tune, winners are added to it"] as const;

const to = ["--to <converter>", "a converter and its settings: acs, softAcs:mean=true, conv25d:axis=0 (or 2.5d), i3d, conv3d, tsm:nFold=8, alignShift:refThickness=2, a3d:dimension=3; each but a3d takes pools=in-plane, which leaves the depth alone"] as const;

const networkArgument = "a name of the library with its settings (unet:classes=6), an ONNX file, a tfjs model.json, or FILE#EXPORT of a network";

/** Each action leaves its exit code here: commander has no way to return it. */
interface Outcome {
  code: number;
}

const define = (outcome: Outcome): Command => {
  const program = new Command("indexical")
    .description("Tensor programs from a TypeScript file: what they become, what they cost, whether two are equal, and what they give.")
    .version(version)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: (.*)/, "$1 [cli-argument]")) })
    .showHelpAfterError("(add --help for examples)")
    .addHelpText("after", "\nExit codes: 0 done, 1 refused or different, 2 wrong usage.");
  // Commands are loaded when they are called: help comes at once.
  const finish =
    <A extends readonly unknown[]>(action: () => Promise<(...args: A) => Promise<number>>) =>
    async (...args: A): Promise<void> => {
      outcome.code = await (await action())(...args);
    };

  program
    .command("explain")
    .summary("what a program becomes: ranges, pieces, cost, kernels")
    .description("Prints the ranges that were inferred, the program before and after specialisation, its pieces, its cost against the dense equivalent, and the kernels.")
    .argument("<FILE#EXPORT>", "the program")
    .option(...shape)
    .option(...grad)
    .option(...wrt)
    .option("--dump-after <pass>", `print the program after a pass: ${dumpable.join(", ")}`)
    .option("--device <device>", "whose kernels to print")
    .option(...tune)
    .option(...tuning)
    .option("--json", "print { inputs, output, pieces, cost, kernels }")
    .addHelpText("after", `${files}\n\nExamples:\n  indexical explain net.ts#acs --shape x=1,3,32,32,32 --shape w=64,3,3,3\n  indexical explain net.ts#acs --shape x=1,3,32,32,32 --shape w=64,3,3,3 --dump-after split\n  indexical explain net.ts#acs --shape x=1,3,32,32,32 --shape w=64,3,3,3 --grad --wrt w\n  indexical explain net.ts --shape x=8,8 --device wasm --json`)
    .action(finish(async () => (await import("./commands/explain.js")).explain));

  program
    .command("cost")
    .summary("multiply-adds, bytes, parameters and peak memory, without running it")
    .description("Prints exact multiply-adds, FLOPs, bytes read and written, parameters and peak bytes. Nothing runs.")
    .argument("<FILE#EXPORT>", "the program")
    .option(...shape)
    .option(...grad)
    .option(...wrt)
    .option("--json", "print the figures as JSON")
    .addHelpText("after", `${files}\n\nExample:\n  indexical cost net.ts#acs --shape x=1,3,32,32,32 --shape w=64,3,3,3`)
    .action(finish(async () => (await import("./commands/cost.js")).cost));

  program
    .command("check")
    .summary("whether two programs are equal")
    .description("Compares two programs over the same inputs: proved equal, agreeing at random points of a prime field, or different with a counterexample.")
    .argument("<FILE#f>", "one program")
    .argument("<FILE#g>", "the other")
    .option(...shape)
    .option("--json", "print the verdict as JSON")
    .addHelpText("after", `${files}\n\nExit codes: 0 equal, 1 different, 2 error.\n\nExample:\n  indexical check net.ts#acs net.ts#blockSparse --shape x=1,3,8,8,8 --shape w=6,3,3,3`)
    .action(finish(async () => (await import("./commands/check.js")).check));

  program
    .command("run")
    .summary("runs a program on files of arrays, or a network on a volume")
    .description(
      "Runs a program. Arrays are .npy, .npz, safetensors or NIfTI files, found by their content, compressed by gzip or not; shapes come from the files.\n" +
        "A network (NAME:SETTINGS of the library, a tfjs model.json, an ONNX file, or FILE#EXPORT with --weights) runs on a volume, a NIfTI file, a folder of DICOM files or an array, window by window, and writes labels on its grid.",
    )
    .argument("<FILE#EXPORT or NET>", "the program, or the network")
    .option("--input <[input=]file>", "numbers of an input: x=FILE, x=FILE#ARRAY, or a FILE whose arrays have the names of the inputs", collect)
    .requiredOption("--output <file>", "where the result goes: .npy .npz .safetensors .nii .nii.gz; one result is called output")
    .option("--shape <input=extents>", "another shape for the same numbers, for example a NIfTI image as a batch of one", collect)
    .option("--device <device>", "where it runs; indexical doctor lists the devices", "auto")
    .option("--grad", "write the gradient of the sum of output times the input g (1 when left out), as grad.<input>; for several outputs, g.<name> each")
    .option(...wrt)
    .option(...tune)
    .option(...tuning)
    .option("--weights <file>", "of a network: its weights, .safetensors .pth .pt .npz .onnx or a tfjs model.json, found by their content")
    .option(...to)
    .option("--intensity <how>", "of a network: min-max, z-score, window:LOW,HIGH (Hounsfield units), brain, lung, liver, bone, lesion")
    .option("--orientation <axes>", "of a network: turn the volume so that its axes point there, for example RAS; labels are turned back")
    .option("--spacing <mm>", "of a network: resample to these voxel sizes, for example 1,1,1; labels are resampled back")
    .option("--series <name>", "of a network and a folder of several DICOM series: SeriesInstanceUID, or how the description starts")
    .option("--thickness <mm>", "of a network that reads it: thickness of the slices; what the file says by default")
    .option("--window <voxels>", "of a network: 64, or 32,128,128 (depth, height, width), or whole; the largest that fits in 1 GiB by default")
    .option("--overlap <share>", "of a network: share of a window that the next one covers again, 0.25 by default")
    .option("--divisor <n>", "of a network: extents of windows are multiples of it")
    .option("--threshold <score>", "of a network with one class: voxels above it are labelled 1; 0.5 by default")
    .option("--scores", "of a network: write the scores, [classes, d, h, w], instead of labels")
    .addHelpText("after", `${files}\n\nExamples:\n  indexical run net.ts#acs --input x=volume.npy --input w=weights.npy --output y.npy\n  indexical run net.ts#acs --grad --input x=volume.npy --input w=weights.npy --input g=g.npy --output gradients.npz\n  indexical run net.ts#segment --input x=t1.nii.gz --shape x=1,1,256,256,256 --input weights.safetensors --output labels.nii.gz\n  indexical run net.ts#segment --input x=t1.nii.gz --device wasm --tune --tuning tuned.json --output labels.nii.gz\n  indexical run unet:classes=3 --to acs --weights unet.pth --input t1.nii.gz --intensity z-score --divisor 4 --output labels.nii.gz`)
    .action(finish(async () => (await import("./commands/run.js")).run));

  program
    .command("summary")
    .summary("the layers of a network, parameters, multiply-adds, memory")
    .description("Prints every layer of a network with its shape, parameters and multiply-adds; the totals, the peak memory and the receptive field. Nothing runs.")
    .argument("<NET>", networkArgument)
    .option(...shape)
    .option(...to)
    .option("--json", "print the figures as JSON")
    .addHelpText("after", "\nExamples:\n  indexical summary resnet18 --shape x=1,3,224,224\n  indexical summary resnet18 --to acs --shape x=1,3,32,64,64\n  indexical summary unet:classes=6 --to alignShift:nFold=4,pools=in-plane --shape x=1,1,7,64,64")
    .action(finish(async () => (await import("./commands/summary.js")).summary));

  program
    .command("convert")
    .summary("makes a 3D network of a 2D one, weights included")
    .description("Converts a 2D network with its weights. Writes weights.safetensors and a report, layer by layer (report.txt, report.json); with --shape, that of the volume, multiply-adds are counted and model.onnx is written.")
    .argument("<FILE>", "weights (.safetensors .pth .pt .npz) or an ONNX model")
    .requiredOption(...to)
    .requiredOption("--output <folder>", "where the result goes")
    .option("--net <NET>", `the network of the weights, ${networkArgument}; found by their names and shapes when left out`)
    .option(...shape)
    .addHelpText("after", "\nExamples:\n  indexical convert resnet18.pth --to acs --output resnet18-acs\n  indexical convert unet.safetensors --net unet:classes=6 --to i3d:axis=0 --output unet-3d --shape x=1,1,32,64,64")
    .action(finish(async () => (await import("./commands/convert.js")).convert));

  program
    .command("doctor")
    .summary("which devices work here, and why not")
    .description("Asks each device whether it works here, and lets it compute a convolution whose result is known.")
    .option("--json", "print the findings as JSON")
    .action(finish(async () => (await import("./commands/doctor.js")).doctor));

  program
    .command("new")
    .summary("a folder with a variant of your own, its test, and how to run them")
    .argument("<NAME>", "the folder to make")
    .addHelpText("after", "\nExample:\n  indexical new cross")
    .action(finish(async () => (await import("./commands/new.js")).create));

  return program;
};

/** The command line. Gives the exit code: 0 done, 1 refused or different, 2 wrong usage. */
export const cli = async (args: readonly string[]): Promise<number> => {
  const outcome: Outcome = { code: exit.done };
  try {
    await define(outcome).parseAsync(args, { from: "user" });
    return outcome.code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exit.done : exit.usage;
    const { text, code } = report(error);
    console.error(text);
    // Of `check`, 1 says that two programs differ.
    return args[0] === "check" ? exit.usage : code;
  }
};
