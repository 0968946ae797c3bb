import { compile, concat, fn, type Image, type Kernel2d, pad, sum, tensor } from "../../src/index.js";

/** A program of every kind of quoted code, for tests of what a bundler does to it. */
const leaky = fn((value: number) => (value > 0 ? value : value / 8));

export const conv = (x: Image, w: Kernel2d, stride: number) => {
  const padded = pad(x, [0, 0, 1, 1]);
  const y = tensor((n, o, h, v) => sum((c, j, k) => padded(n, c, stride * h + j, stride * v + k) * w(o, c, j, k)));
  return tensor((n, o, h, v) => leaky(y(n, o, h, v)) - Math.floor(h / 2) + (o === 1 ? v % 2 : 0));
};

const data = (n: number) => Float64Array.from({ length: n }, (_, i) => ((i * 37) % 11) - 5);

export const main = async (): Promise<unknown> => {
  const f = ({ x, w }: { x: Image; w: Kernel2d }) => concat([conv(x, w, 1), conv(x, w, 1)], 1);
  const compiled = await compile(f, { x: [1, 2, 5, 6], w: [3, 2, 3, 3] }, { device: "reference" });
  const { data: y, shape } = await compiled.run({ x: data(60), w: data(54) });
  return { shape, y: [...y] };
};
