/** Extents along depth, height and width. */
export type Triple = readonly [number, number, number];

/**
 * Where windows of `size` start along an axis of `extent` elements, `stride` apart: the last one is shifted back so that it ends with the axis
 * (the grid of mmsegmentation's slide inference). One start at 0 where the window covers the axis.
 */
export const startsAlong = (extent: number, size: number, stride: number): readonly number[] => {
  if (size >= extent) return [0];
  const count = Math.ceil((extent - size) / stride) + 1;
  return Array.from({ length: count }, (_, k) => Math.min(k * stride, extent - size));
};

/** How much each element of a window counts where windows overlap. */
export type Blend = "constant" | "gaussian";

/**
 * The weight of each of `size` elements along one axis. A Gaussian has its centre in the middle of the window and a standard deviation of `sigma` windows;
 * a window's weights are the products along its axes (nnU-Net, Isensee et al. 2021). Never zero: every element has some weight.
 */
export const weightsAlong = (size: number, blend: Blend, sigma: number): Float64Array =>
  Float64Array.from({ length: size }, (_, i) => {
    if (blend === "constant") return 1;
    const distance = (i - (size - 1) / 2) / (sigma * size);
    return Math.max(Math.exp(-0.5 * distance * distance), 1e-3);
  });
