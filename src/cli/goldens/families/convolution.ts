import type { Kernel2d, Tensor, Vector, Volume } from "../../../dsl/index.js";
import type { NdArray } from "../../../lib/formats/index.js";
import { inputOf, parameterOf, parametersOf, type GoldenCase } from "../case.js";
import type { Machine, Outcome } from "../family.js";
import { malformed, unmapped } from "../fields.js";

/** The arguments that the convolutions of all systems share, as PyTorch names them. */
export interface ConvolutionArguments {
  readonly stride: number | readonly number[];
  readonly padding: number | readonly number[];
  readonly dilation: number | readonly number[];
  readonly groups: number;
  readonly bias: boolean;
  readonly kernel: number;
  readonly out: number;
  /** In-channels of a group. */
  readonly perGroup: number;
}

/** @throws golden-unmapped for padding given by name and for kernels that are not square, golden-malformed for what no convolution takes */
export const convolutionArguments = ({ ctor }: GoldenCase): ConvolutionArguments => {
  const size = ctor.extents("kernel_size");
  const sizes = typeof size === "number" ? [size] : size;
  if (sizes.some((n) => n !== sizes[0])) unmapped(`kernel_size ${JSON.stringify(size)}: the 2D kernels are square`);
  if (ctor.isText("padding")) unmapped(`padding ${ctor.string("padding")}: the originals take numbers`);
  // The originals accept padding_mode and pad with zeros whatever it says.
  ctor.ignore("padding_mode");
  const groups = ctor.number("groups", 1);
  return {
    stride: ctor.extents("stride", 1),
    padding: ctor.extents("padding", 0),
    dilation: ctor.extents("dilation", 1),
    groups,
    bias: ctor.boolean("bias", true),
    kernel: sizes[0],
    out: ctor.number("out_channels"),
    perGroup: ctor.number("in_channels") / groups,
  };
};

type Build = (tensors: {
  readonly x: Volume;
  readonly weight: Kernel2d;
  readonly bias: Vector | undefined;
  readonly other: (name: string) => Tensor;
}) => Volume;

/**
 * Runs a convolution with a 2D kernel on the input `x` of the case.
 * @param others further arrays that the program takes, by the names that the file has for them
 */
export const runConvolution = async (
  golden: GoldenCase,
  machine: Machine,
  { bias, out, perGroup, kernel }: ConvolutionArguments,
  build: Build,
  others: Readonly<Record<string, NdArray>> = {},
  kernelShape: readonly number[] = [out, perGroup, kernel, kernel],
): Promise<Outcome> => {
  const parameters = parametersOf(golden);
  const parameter = (name: string, shape: readonly number[]): NdArray => {
    const array = parameterOf(golden, name);
    return array.shape.join() === shape.join()
      ? array
      : malformed(`param.${name} has shape [${array.shape.join(", ")}]; the arguments ask for [${shape.join(", ")}]`);
  };
  if (!bias && parameters.has("bias")) malformed("bias is false, and there is a tensor param.bias");
  const arrays: Record<string, NdArray> = {
    ...others,
    x: inputOf(golden, "x"),
    "param.weight": parameter("weight", kernelShape),
    ...(bias ? { "param.bias": parameter("bias", [out]) } : {}),
  };
  const outputs = await machine.run(
    (tensors) => ({
      output: build({
        x: tensors["x"] as unknown as Volume,
        weight: tensors["param.weight"] as unknown as Kernel2d,
        bias: bias ? (tensors["param.bias"] as unknown as Vector) : undefined,
        other: (name) => tensors[name],
      }),
    }),
    arrays,
  );
  return { outputs };
};
