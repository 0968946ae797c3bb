/** An exact fraction in lowest terms; the denominator is positive. */
export interface Rational {
  readonly above: bigint;
  readonly below: bigint;
}

const gcd = (a: bigint, b: bigint): bigint => {
  while (b !== 0n) [a, b] = [b, a % b];
  return a < 0n ? -a : a;
};

const make = (above: bigint, below: bigint): Rational => {
  const g = gcd(above, below) * (below < 0n ? -1n : 1n);
  return g === 0n ? { above: 0n, below: 1n } : { above: above / g, below: below / g };
};

/** The number that a finite decimal literal spells: 0.1 is 1/10, not the double next to it. */
export const spelled = (n: number): Rational => {
  // Shortest digits of a large integer are rounded: it is itself.
  if (Number.isInteger(n) && Math.abs(n) < 1e21) return make(BigInt(n), 1n);
  const [mantissa, exponent = "0"] = String(n).split("e") as [string, string?];
  const [whole, fraction = ""] = mantissa.split(".") as [string, string?];
  const digits = BigInt(`${whole}${fraction}`);
  const power = Number(exponent) - fraction.length;
  return power >= 0 ? make(digits * 10n ** BigInt(power), 1n) : make(digits, 10n ** BigInt(-power));
};

export const one = make(1n, 1n);
export const times = (a: Rational, b: Rational): Rational => make(a.above * b.above, a.below * b.below);
/** `a / b`; b is not zero. */
export const over = (a: Rational, b: Rational): Rational => make(a.above * b.below, a.below * b.above);
export const plus = (a: Rational, b: Rational): Rational => make(a.above * b.below + b.above * a.below, a.below * b.below);
export const isZero = (a: Rational): boolean => a.above === 0n;
export const isOne = (a: Rational): boolean => a.above === 1n && a.below === 1n;
export const textOf = (a: Rational): string => `${a.above}/${a.below}`;
