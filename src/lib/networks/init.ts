/** How a parameter starts. `fanIn` is the number of terms of a sum that it is a part of. */
export type Init =
  | { readonly kind: "constant"; readonly value: number }
  /** U(-bound, bound). */
  | { readonly kind: "uniform"; readonly low: number; readonly high: number }
  | { readonly kind: "normal"; readonly deviation: number }
  /** For [D, D, C]: the identity for each channel, plus U(-noise, noise) everywhere. */
  | { readonly kind: "nearIdentity"; readonly noise: number };

export const constantInit = (value: number): Init => ({ kind: "constant", value });
export const uniformInit = (bound: number): Init => ({ kind: "uniform", low: -bound, high: bound });
export const normalInit = (deviation: number): Init => ({ kind: "normal", deviation });

/** The framework's default for convolutions and linear layers: U(-1 / sqrt(fan in), 1 / sqrt(fan in)), He-uniform with slope sqrt(5). */
export const defaultInit = (fanIn: number): Init => uniformInit(1 / Math.sqrt(Math.max(fanIn, 1)));

/** He et al., ICCV 2015, with gain sqrt(2): U(-sqrt(6 / fan in), sqrt(6 / fan in)). */
export const heUniformInit = (fanIn: number): Init => uniformInit(Math.sqrt(6 / fanIn));

/** He et al., ICCV 2015: N(0, 2 / fan), the fan in or out. */
export const heNormalInit = (fan: number): Init => normalInit(Math.sqrt(2 / fan));
