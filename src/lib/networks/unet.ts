import { concatenate, identity, module, network, sequential, type Network, type Part } from "./graph.js";
import { heUniformInit } from "./init.js";
import { batchNorm, conv, maxPool, relu, upsample } from "./parts.js";

/** Two convolutions 3 x 3, each with norm and ReLU; names as those of a list of layers: 0, 1, 3, 4. */
const twice = (name: string, into: number, middle: number, out: number): Part => {
  const one = (k: number, from: number, to: number): Part =>
    sequential(conv(2, `${name}.${k}`, from, to, { padding: 1, init: heUniformInit(9 * from) }), batchNorm(`${name}.${k + 1}`, to), relu);
  return sequential(one(0, into, middle), one(3, middle, out));
};

/**
 * The small U-Net of the ACS paper's proof of concept, on images [N, 1, H, W] whose extents are multiples of 4: logits [N, classes, H, W].
 * Its skip is taken after the pool. Keys: enc1.encode.{0,1,3,4}, enc2.encode.*, dec1.decode.*, final. Yang et al., IEEE JBHI 2021.
 */
export const unet = ({ classes = 3, channels = 1, width = 64 }: { readonly classes?: number; readonly channels?: number; readonly width?: number } = {}): Network => {
  const halve = maxPool(2, 2);
  const double = upsample(2, "linear", 2);
  const enc1 = module("enc1", sequential(twice("enc1.encode", channels, width, width), halve));
  const enc2 = module("enc2", sequential(twice("enc2.encode", width, 2 * width, 2 * width), halve));
  const dec1 = module("dec1", twice("dec1.decode", 3 * width, width, width / 2));
  const final = conv(2, "final", width / 2, classes, { kernel: 1, init: heUniformInit(width / 2) });
  return network("U-Net", ["x"], (x) => sequential(enc1, concatenate(identity, sequential(enc2, double)), dec1, double, final)(x));
};
