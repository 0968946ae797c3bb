import { permute, refuse, toFloat64, type Arrays, type NdArray, type TypedArray } from "../formats/ndarray.js";
import { scaling, volumeImage, type VolumeImage, type VoxelArray } from "../formats/volume-image.js";
import type { Affine } from "../formats/affine.js";

export interface FromArrayOptions {
  /** How the array is indexed: `kji` (the default) as NCDHW tensors are, depth first; `ijk` as NiBabel has it. */
  readonly axes?: "kji" | "ijk";
  /** Default: voxels of `spacing`, axes to R, A and S. */
  readonly affine?: Affine;
  /** Along i, j and k; default 1 mm. */
  readonly spacing?: readonly [number, number, number];
}

const isBig = (data: TypedArray): data is BigInt64Array | BigUint64Array => data instanceof BigInt64Array || data instanceof BigUint64Array;

/** An array of rank 3, from a .npy file for example, as an image. 64-bit integers become float64. @throws `format-shape` for another rank */
export const volumeFromArray = (array: NdArray, { axes = "kji", spacing = [1, 1, 1], affine = scaling(spacing) }: FromArrayOptions = {}): VolumeImage => {
  if (array.shape.length !== 3) refuse("format-shape", `an array of shape [${array.shape.join(", ")}] is no volume`, "It needs three axes; take one element of the first axis of a batch.");
  const { data, shape } = axes === "kji" ? array : permute(array, [2, 1, 0]);
  const plain = (isBig(data) ? toFloat64({ ...array, data }) : data instanceof Uint8ClampedArray ? new Uint8Array(data) : data) as VoxelArray;
  return volumeImage({ data: plain, shape: [...shape].reverse(), affine });
};

/** One part of a MedMNIST set: images [N, D, H, W] of 8 bits, and labels [N, tasks]. */
export interface MedMnistPart {
  readonly images: NdArray;
  readonly labels: NdArray;
}

/** The parts of a MedMNIST set from the arrays of its .npz. Yang et al., "MedMNIST v2", Scientific Data 2023. @throws `format-name`, `format-shape` */
export const medMnist = (arrays: Arrays): Readonly<Record<"train" | "val" | "test", MedMnistPart>> => {
  const part = (name: "train" | "val" | "test"): MedMnistPart => {
    const [images, labels] = ["images", "labels"].map((what) => {
      const key = `${name}_${what}`;
      return key in arrays ? arrays[key] : refuse("format-name", `the file has no ${key}: it is no MedMNIST set`, `It has: ${Object.keys(arrays).slice(0, 20).join(", ")}.`);
    });
    if (images.shape.length < 3 || images.shape[0] !== labels.shape[0]) refuse("format-shape", `${name}: images of shape [${images.shape.join(", ")}] and labels of [${labels.shape.join(", ")}]`);
    return { images, labels };
  };
  return { train: part("train"), val: part("val"), test: part("test") };
};

/** Element `n` of the first axis: a volume of a batch. Shares memory. @throws `format-shape` */
export const elementOf = ({ data, shape, dtype }: NdArray, n: number): NdArray => {
  const [count, ...rest] = shape;
  if (shape.length === 0 || !(Number.isInteger(n) && n >= 0 && n < count)) refuse("format-shape", `there is no element ${n} in an array of shape [${shape.join(", ")}]`);
  const size = data.length / count;
  return { data: data.subarray(n * size, (n + 1) * size), shape: rest, dtype };
};
