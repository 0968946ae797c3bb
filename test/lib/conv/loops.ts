import { dense, element, places, type Dense } from "../arrays.js";

/** Arguments of a convolution, all spelled out. */
export interface Arguments {
  readonly stride: readonly number[];
  readonly padding: readonly (readonly [number, number])[];
  readonly dilation: readonly number[];
  readonly groups: number;
}

export const extentsOf = (space: readonly number[], kernel: readonly number[], { stride, padding, dilation }: Arguments): number[] =>
  space.map((n, a) => Math.floor((n + padding[a][0] + padding[a][1] - dilation[a] * (kernel[a] - 1) - 1) / stride[a]) + 1);

/** Convolution of any number of spatial axes, out-channel by out-channel and tap by tap. */
export const convLoop = (x: Dense, w: Dense, bias: Dense, a: Arguments): Dense => {
  const [batch, , ...space] = x.shape;
  const [out, perGroup, ...kernel] = w.shape;
  const taps = places(kernel);
  return dense([batch, out, ...extentsOf(space, kernel, a)], ([n, o, ...i]) => {
    let y = bias.data[o];
    const group = Math.floor(o / (out / a.groups));
    for (let c = 0; c < perGroup; c++)
      for (const t of taps) y += element(w, [o, c, ...t]) * element(x, [n, group * perGroup + c, ...i.map((p, axis) => a.stride[axis] * p - a.padding[axis][0] + a.dilation[axis] * t[axis])]);
    return y;
  });
};

/** Transposed convolution: every element of `x` is spread over the result. */
export const spreadLoop = (x: Dense, w: Dense, bias: Dense, a: Arguments, extra: readonly number[]): Dense => {
  const [batch, channels, ...space] = x.shape;
  const [, outPerGroup, ...kernel] = w.shape;
  const out = outPerGroup * a.groups;
  const shape = [batch, out, ...space.map((n, k) => (n - 1) * a.stride[k] + a.dilation[k] * (kernel[k] - 1) + 1 + extra[k] - a.padding[k][0] - a.padding[k][1])];
  const y = places(shape).map(([, o]) => bias.data[o]);
  for (const [n, c, ...i] of places(x.shape))
    for (const t of places(kernel)) {
      const q = i.map((p, k) => a.stride[k] * p + a.dilation[k] * t[k] - a.padding[k][0]);
      if (q.some((p, k) => p < 0 || p >= shape[2 + k])) continue;
      const group = Math.floor(c / (channels / a.groups));
      for (let o = 0; o < outPerGroup; o++) {
        const at = [n, group * outPerGroup + o, ...q].reduce((flat, p, k) => flat * shape[k] + p, 0);
        y[at] += element(x, [n, c, ...i]) * element(w, [c, o, ...t]);
      }
    }
  return { shape, data: y };
};

/** One view of a 2D kernel, flat on `axis`: there it reads `slice(i)` of the unpadded input. */
export const viewLoop = (x: Dense, w: Dense, axis: number, a: Arguments, slice: (i: number) => number): Dense => {
  const [batch, , ...space] = x.shape;
  const [out, perGroup, size] = w.shape;
  const others = [0, 1, 2].filter((k) => k !== axis);
  return dense([batch, out, ...extentsOf(space, [size, size, size], a)], ([n, o, ...i]) => {
    let y = 0;
    const group = Math.floor(o / (out / a.groups));
    for (let c = 0; c < perGroup; c++)
      for (let p = 0; p < size; p++)
        for (let q = 0; q < size; q++) {
          const at = [0, 0, 0];
          at[axis] = slice(i[axis]);
          for (const [k, t] of [[others[0], p], [others[1], q]]) at[k] = a.stride[k] * i[k] - a.padding[k][0] + a.dilation[k] * t;
          y += element(w, [o, c, p, q]) * element(x, [n, group * perGroup + c, ...at]);
        }
    return y;
  });
};
