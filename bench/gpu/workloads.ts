import { fn, tensor, type Kernel2d, type Kernel3d, type Volume } from "indexical";
import { acsConv3d, conv3d } from "indexical/lib";
import { findWorkload } from "../find.js";
import { sizeOf } from "../numbers.js";
import { convFlops, fixed, type Workload } from "../workloads/workload.js";

const dense = (name: string, c: number, o: number, size: number, k: number): Workload => {
  const x = [1, c, size, size, size];
  return {
    name, describe: `conv ${k}x${k}x${k}, ${c} to ${o} channels, ${size}^3`, flops: convFlops(x, o, [[k, k, k]]), inputs: { x }, network: false,
    program: () => (({ x }: { x: Volume }) => conv3d(x, fixed<Kernel3d>([o, c, k, k, k], 2), { padding: (k - 1) / 2 })) as never,
  };
};

const acs = (name: string, c: number, o: number, size: number): Workload => {
  const x = [1, c, size, size, size];
  return {
    name, describe: `ACS conv 3, ${c} to ${o} channels, ${size}^3`, flops: convFlops(x, o, [[1, 3, 3], [3, 1, 3], [3, 3, 1]]), inputs: { x }, network: false,
    program: () => (({ x }: { x: Volume }) => acsConv3d(x, fixed<Kernel2d>([o, c, 3, 3], 2), { padding: 1 })) as never,
  };
};

const elementwise = (name: string, c: number, size: number): Workload => {
  const x = [1, c, size, size, size];
  return {
    name, describe: `relu(a * x + b), ${c} channels, ${size}^3`, flops: 3 * sizeOf(x), bytes: 8 * sizeOf(x), inputs: { x }, network: false,
    program: () =>
      (({ x }: { x: Volume }) => {
        const f = fn((v: number) => Math.max(1.5 * v + 0.25, 0));
        return tensor((n, c, d, h, v) => f(x(n, c, d, h, v)));
      }) as never,
  };
};

/** What a GPU is measured on, in this order: the convolutions that fill it first. */
export const fullNames: readonly string[] = ["dense-128", "acs-128", "W1", "W2", "W3", "W4", "W5", "W7", "W6-acs", "W6-dense", "meshnet"];
const large: readonly Workload[] = [dense("dense-128", 128, 128, 64, 3), acs("acs-128", 128, 128, 64)];

/** The same kinds of kernels on sizes that a software adapter computes at once. */
const small: readonly Workload[] = [dense("dense-128", 8, 8, 8, 3), acs("acs-128", 8, 9, 8), dense("W5", 16, 8, 8, 1), elementwise("W7", 4, 8)];
export const smokeNames: readonly string[] = [...small.map((w) => w.name), "meshnet:8"];

export const find = async (name: string, smoke: boolean): Promise<Workload> => (smoke ? small : large).find((w) => w.name === name) ?? findWorkload(name);
