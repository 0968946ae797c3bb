import { IndexicalError } from "../../dsl/errors.js";
import { ndarray, toFloat64, type NdArray } from "../formats/ndarray.js";
import type { Random } from "../random/index.js";

export interface ImageToVolumeOptions {
  /** Channel k of the shuffled image is channel order[k] of the given one. */
  readonly order?: readonly number[];
  /** Alike for all channels, so that their order carries no scale. */
  readonly mean?: number;
  readonly std?: number;
}

/**
 * The variable dimension transform: the colour channels of a 2D image become the slices of a volume with one channel, so that a 3D network
 * can be pre-trained on images. The channels are shuffled, then reversed (BGR is the order in files, RGB in the network), then normalised.
 * urmagicsmine/CSPR.
 * @param image [height, width, channels]
 * @returns [1, 1, channels, height, width], float32
 * @throws transform-order when `order` does not name every channel once
 */
export const imageToVolume = (image: NdArray, { order, mean = 114.495, std = 57.63 }: ImageToVolumeOptions = {}): NdArray => {
  const [height, width, channels] = image.shape;
  if (image.shape.length !== 3)
    throw new IndexicalError("transform-shape", `an image has the axes height, width and channel; this one has shape [${image.shape.join(", ")}]`);
  const chosen = order ?? Array.from({ length: channels }, (_, k) => k);
  if (chosen.length !== channels || [...chosen].sort((a, b) => a - b).some((c, k) => c !== k))
    throw new IndexicalError("transform-order", `[${chosen.join(", ")}] is no order of ${channels} channels`);
  const [values, places] = [toFloat64(image), height * width];
  const data = new Float32Array(values.length);
  for (let k = 0; k < channels; k++) {
    const from = chosen[channels - 1 - k];
    for (let at = 0; at < places; at++) data[k * places + at] = (values[at * channels + from] - mean) / std;
  }
  return ndarray(data, [1, 1, channels, height, width]);
};

/**
 * Orders for `imageToVolume`, one for each image. Each shuffles the one before, as the original does: the orders compose, and every order
 * stays equally likely. With probability 1 - `probability` an image keeps its own order.
 */
export const channelShuffler = (random: Random, channels = 3, probability = 1): (() => readonly number[]) => {
  const current = Array.from({ length: channels }, (_, k) => k);
  return () => (random.uniform() < probability ? [...random.shuffle(current)] : current.map((_, k) => k));
};
