/**
 * The error function to a few units in the last place, by a series of positive terms below 2.5 and a continued fraction
 * of erfc above (Abramowitz and Stegun 7.1.6 and 7.1.14).
 */
export const erfOf = (x: number): number => {
  if (Number.isNaN(x)) return NaN;
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a < 2.5) {
    let term = x;
    let total = x;
    for (let n = 1; n < 80; n++) {
      term *= (2 * x * x) / (2 * n + 1);
      if (total + term === total) break;
      total += term;
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
  }
  let fraction = a;
  for (let n = 60; n > 0; n--) fraction = a + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * fraction));
};

/** `a ** n`; for an integer n it is repeated multiplication, exact for any base. */
export const powerOf = (a: number, n: number): number => {
  if (!Number.isInteger(n) || Math.abs(n) > 64) return a ** n;
  let result = 1;
  for (let k = 0; k < Math.abs(n); k++) result *= a;
  return n < 0 ? 1 / result : result;
};

/** A 32-bit mixer with low bias (Chris Wellons, hash-prospector). */
export const lowbias32 = (x: number): number => {
  x ^= x >>> 16;
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  x ^= x >>> 16;
  return x >>> 0;
};

/** The generator behind `uniform`: 24 bits of a hash of the seed and the indices, so that float32 holds it exactly. */
export const uniformOf = (of: readonly number[]): number => {
  let h = 0x9e3779b9;
  for (const n of of) h = lowbias32(h ^ (n | 0));
  return (h >>> 8) / 2 ** 24;
};
