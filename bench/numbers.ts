/** Reproducible numbers in [-1, 1): every contestant gets the same. */
export const numbers = (n: number, seed: number): Float32Array => {
  const out = new Float32Array(n);
  let s = (seed * 0x9e3779b9) >>> 0 || 1;
  for (let i = 0; i < n; i++) {
    s ^= s << 13;
    s >>>= 0;
    s ^= s >>> 17;
    s ^= s << 5;
    s >>>= 0;
    out[i] = s / 2 ** 31 - 1;
  }
  return out;
};

export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
export const median = (all: readonly number[]): number => {
  const sorted = [...all].sort((a, b) => a - b);
  const mid = sorted.length >> 1;
  return sorted.length % 2 ? sorted[mid]! : (sorted[mid - 1]! + sorted[mid]!) / 2;
};
