import { valueAndGrad, vjp, type AnyTensor, type Kernel2d, type Kernel3d, type Scalar, type Volume } from "indexical";
import { mean, type Tensor } from "indexical";
import { acsConv3d, apply, conv3d, convert, converters, parameterShapes, unet } from "indexical/lib";
import { convFlops, type Dims, type Workload } from "./workload.js";

const flat: readonly (readonly number[])[] = [[1, 3, 3], [3, 1, 3], [3, 3, 1]];

/** A convolution with its two gradients: three times the operations. */
const convolution = (forward: string, c: number, o: number, size: number, acs: boolean): Workload => {
  const x = [1, c, size, size, size];
  const w = acs ? [o, c, 3, 3] : [o, c, 3, 3, 3];
  return {
    name: `${forward}-grad`,
    describe: `${acs ? "ACS " : ""}conv 3, ${c} to ${o} channels, ${size}^3, forward and backward`,
    flops: 3 * convFlops(x, o, acs ? flat : [[3, 3, 3]]),
    inputs: { x, w, g: [1, o, size, size, size] },
    network: false,
    beside: { as: "forward", name: forward, scale: 1 },
    peers: ["pytorch"],
    program: () => {
      const f = acs
        ? ({ x, w }: { x: Volume; w: Kernel2d }) => acsConv3d(x, w, { padding: 1 })
        : ({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w, { padding: 1 });
      return ((inputs: { x: Volume; w: never; g: Volume }) => ({ y: f(inputs), ...vjp(f as (i: { x: Volume; w: Kernel3d }) => Volume)(inputs) })) as never;
    },
  };
};

/** The ACS form of the small U-Net, in training: the mean square of its logits, and the gradients of all parameters. */
const unetWorkload = (backward: boolean): Workload => {
  const { network } = convert(unet({ classes: 3 }), converters.acs());
  const shapes = parameterShapes(network);
  const x: Dims = [1, 1, 48, 48, 48];
  const trained = Object.keys(shapes).filter((name) => !name.includes("running_"));
  const loss = ({ x, ...params }: Readonly<Record<string, AnyTensor>>): Scalar => {
    const y = apply<Tensor>(network, params, x!, { mode: "train" }) as unknown as Volume;
    return mean((n, c, d, h, v) => y(n, c, d, h, v) ** 2) as unknown as Scalar;
  };
  return {
    name: backward ? "unet-grad" : "unet",
    describe: `ACS U-Net, 1 x 1 x 48^3, in training${backward ? ", forward and backward" : ""}`,
    // 9.0031 G multiply-adds forward, of which the first layer's input needs no gradient.
    flops: (backward ? 3 : 1) * 2 * 9.0031e9,
    inputs: { x, ...shapes },
    network: true,
    ...(backward ? { beside: { as: "forward", name: "unet", scale: 1 } } : {}),
    peers: ["pytorch"],
    program: () => (backward ? valueAndGrad(loss, trained) : loss) as never,
  };
};

export const backward = (): readonly Workload[] => [
  convolution("W1", 64, 64, 32, false),
  convolution("W2", 64, 64, 32, true),
  convolution("W3", 16, 32, 48, false),
  convolution("W4", 16, 32, 48, true),
  unetWorkload(false),
  unetWorkload(true),
];
