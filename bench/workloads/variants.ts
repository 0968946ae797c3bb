import { constant, tensor, type Kernel3d, type Volume } from "indexical";
import { conv3d } from "indexical/lib";
import { convFlops, fixed, type Workload } from "./workload.js";

/** Variants that nobody named, at the shape of W1 and W2: what a guard leaves of a 3 x 3 x 3 kernel. */
const variant = (name: string, describe: string, keep: (o: number, c: number, i: number, j: number, k: number) => boolean): Workload => {
  const x = [1, 64, 32, 32, 32];
  const w = [64, 64, 3, 3, 3];
  let [terms, pairs] = [0, 0];
  const inside = (t: number): number => 32 - Math.abs(t - 1);
  for (let o = 0; o < 64; o++)
    for (let c = 0; c < 64; c++)
      for (let i = 0; i < 3; i++)
        for (let j = 0; j < 3; j++)
          for (let k = 0; k < 3; k++)
            if (keep(o, c, i, j, k)) {
              pairs++;
              terms += inside(i) * inside(j) * inside(k);
            }
  return {
    name,
    describe: `${describe}, ${(pairs / 4096).toFixed(1).replace(/\.0$/, "")} of 27 taps, 64 to 64 channels, 32^3`,
    flops: 2 * terms,
    inputs: { x },
    network: false,
    // ACS keeps 9 of 27 taps; the same time for each multiply-add is a ratio of 1.
    beside: { as: "ACS, each multiply-add", name: "W2", scale: (2 * terms) / convFlops(x, 64, [[1, 3, 3], [3, 1, 3], [3, 3, 1]]) },
    program: () => (({ x }: { x: Volume }) => conv3d(x, guards[name]!(fixed<Kernel3d>(w, 2)), { padding: 1 })) as never,
  };
};

/** One of three taps, at random, for each pair of a block of 16 out-channels and one of 16 in-channels: a mask as numbers, which no formula gives. */
const bits = ((): readonly number[] => {
  let state = 1;
  return Array.from({ length: 4 * 4 * 27 }, () => ((state = (state * 48271) % 2147483647) < 2147483647 / 3 ? 1 : 0));
})();

const guards: Readonly<Record<string, (w: Kernel3d) => Kernel3d>> = {
  cross: (w) => tensor((o, c, i, j, k) => (Math.abs(i - 1) + Math.abs(j - 1) + Math.abs(k - 1) <= 1 ? w(o, c, i, j, k) : 0)),
  checkerboard: (w) => tensor((o, c, i, j, k) => ((i + j + k) % 2 === 0 ? w(o, c, i, j, k) : 0)),
  blocks: (w) => tensor((o, c, i, j, k) => ((Math.floor(o / 16) + i + 2 * j + k) % 3 === 0 ? w(o, c, i, j, k) : 0)),
  random: (w) => {
    const mask = constant<Kernel3d>(bits, [4, 4, 3, 3, 3]);
    return tensor((o, c, i, j, k) => w(o, c, i, j, k) * mask(Math.floor(o / 16), Math.floor(c / 16), i, j, k));
  },
};

export const variants: readonly Workload[] = [
  variant("cross", "cross-shaped kernel", (_o, _c, i, j, k) => Math.abs(i - 1) + Math.abs(j - 1) + Math.abs(k - 1) <= 1),
  variant("checkerboard", "checkerboard kernel", (_o, _c, i, j, k) => (i + j + k) % 2 === 0),
  variant("blocks", "a pattern for each block of 16 out-channels", (o, _c, i, j, k) => (Math.floor(o / 16) + i + 2 * j + k) % 3 === 0),
  variant("random", "a random pattern for each block of 16 x 16 channels", (o, c, i, j, k) => bits[((((o >> 4) * 4 + (c >> 4)) * 3 + i) * 3 + j) * 3 + k] === 1),
];
