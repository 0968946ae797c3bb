/**
 * Functions that shaders call. WGSL lets implementations be wrong in many digits (`sin` by 2^-11, `atan` by 4096 units
 * in the last place), lacks some functions, and takes no position on NaN; these are right to a few units in the last
 * place on every adapter. Polynomials and splittings are those of Cephes (Stephen Moshier, netlib.org/cephes).
 */
interface Helper {
  readonly uses?: readonly string[];
  readonly text: string;
}

const helpers: Readonly<Record<string, Helper>> = {
  // WGSL refuses an infinity that it can work out beforehand; a variable keeps it from trying.
  infinity: { text: "fn infinity() -> f32 { var bits = 0x7f800000u; return bitcast<f32>(bits); }" },
  notANumber: { text: "fn notANumber() -> f32 { var bits = 0x7fc00000u; return bitcast<f32>(bits); }" },
  isNaN: { text: "fn isNaN(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }" },
  negative: { text: "fn negative(x: f32) -> bool { return (bitcast<u32>(x) >> 31u) == 1u; }" },

  // The larger of two, NaN when one is.
  largest: { uses: ["isNaN"], text: "fn largest(a: f32, b: f32) -> f32 { return select(max(a, b), a + b, isNaN(a) || isNaN(b)); }" },
  smallest: { uses: ["isNaN"], text: "fn smallest(a: f32, b: f32) -> f32 { return select(min(a, b), a + b, isNaN(a) || isNaN(b)); }" },
  // With a number that is not NaN for b.
  atLeast: { uses: ["isNaN"], text: "fn atLeast(a: f32, b: f32) -> f32 { return select(max(a, b), a, isNaN(a)); }" },
  atMost: { uses: ["isNaN"], text: "fn atMost(a: f32, b: f32) -> f32 { return select(min(a, b), a, isNaN(a)); }" },

  signOf: { uses: ["isNaN"], text: "fn signOf(x: f32) -> f32 { return select(sign(x), x, isNaN(x)); }" },
  // Halves go up.
  nearest: { text: "fn nearest(x: f32) -> f32 { let low = floor(x); return select(low, low + 1f, x - low >= 0.5f); }" },
  divide: { text: "fn divide(a: f32, b: f32) -> f32 { return a / b; }" },
  // a - b * floor(a / b), put right where the division was rounded over a whole number.
  modulo: {
    text: `fn modulo(a: f32, b: f32) -> f32 {
  let r = a - b * floor(a / b);
  if (b > 0f) { return select(select(r, r + b, r < 0f), r - b, r >= b); }
  return select(select(r, r + b, r > 0f), r - b, r <= b);
}`,
  },
  // floor(a / k) for k > 0.
  floorDivide: { text: "fn floorDivide(a: i32, k: i32) -> i32 { return (a - select(0, k - 1, a < 0)) / k; }" },
  // An integer between two others; NaN is the lower one.
  toIndex: { text: "fn toIndex(x: f32, low: i32, high: i32) -> i32 { return select(low, i32(clamp(x, f32(low), f32(high))), x >= f32(low)); }" },

  root: { uses: ["notANumber"], text: "fn root(x: f32) -> f32 { if (x < 0f) { return notANumber(); } return sqrt(x); }" },
  cubeRoot: {
    text: `fn cubeRoot(x: f32) -> f32 {
  let a = abs(x);
  if (!(a > 0f && a < 3.4e38f)) { return x; }
  var y = bitcast<f32>(bitcast<u32>(a) / 3u + 709921077u);
  for (var k = 0; k < 3; k++) { y = y - (y - a / (y * y)) / 3f; }
  return select(y, -y, x < 0f);
}`,
  },

  powerOfTwo: { text: "fn powerOfTwo(n: i32) -> f32 { return bitcast<f32>(u32(n + 127) << 23u); }" },
  // e^r * 2^n for |r| < 0.4 and n from -150 to 128.
  scaledExponential: {
    uses: ["powerOfTwo"],
    text: `fn scaledExponential(r: f32, n: i32) -> f32 {
  let p = ((((1.9875691500e-4f * r + 1.3981999507e-3f) * r + 8.3334519073e-3f) * r + 4.1665795894e-2f) * r + 1.6666665459e-1f) * r + 5.0000001201e-1f;
  let y = p * (r * r) + r + 1f;
  let half = n / 2;
  return y * powerOfTwo(half) * powerOfTwo(n - half);
}`,
  },
  exponential: {
    uses: ["scaledExponential", "infinity", "isNaN"],
    text: `fn exponential(x: f32) -> f32 {
  if (isNaN(x)) { return x; }
  if (x > 88.722839f) { return infinity(); }
  if (x < -103.972084f) { return 0f; }
  let n = floor(x * 1.44269504f + 0.5f);
  return scaledExponential((x - n * 0.693359375f) + n * 2.12194440e-4f, i32(n));
}`,
  },
  // e^x - 1 for |x| < 0.5.
  smallExponential: {
    text: `fn smallExponential(x: f32) -> f32 {
  return x * (1f + x * (0.5f + x * (1.6666667e-1f + x * (4.1666667e-2f + x * (8.3333333e-3f + x * (1.3888889e-3f + x * (1.9841270e-4f + x * 2.4801587e-5f)))))));
}`,
  },
  exponentialLess1: {
    uses: ["exponential", "smallExponential"],
    text: "fn exponentialLess1(x: f32) -> f32 { if (abs(x) < 0.5f) { return smallExponential(x); } return exponential(x) - 1f; }",
  },

  // x = (1 + m) * 2^e with m between sqrt(1/2) - 1 and sqrt(2) - 1, for x > 0.
  splitNumber: {
    text: `fn splitNumber(x: f32) -> vec2f {
  var e = 0f;
  var y = x;
  if (y < 1.17549435e-38f) { y = y * 8388608f; e = -23f; }
  let bits = bitcast<u32>(y);
  e += f32(i32(bits >> 23u) - 126);
  let m = bitcast<f32>((bits & 0x7fffffu) | 0x3f000000u);
  if (m < 0.70710678f) { return vec2f(m + m - 1f, e - 1f); }
  return vec2f(m - 1f, e);
}`,
  },
  // log(1 + m) - m + m^2 / 2, in the range of splitNumber.
  logarithmTail: {
    text: `fn logarithmTail(m: f32) -> f32 {
  let p = (((((((7.0376836292e-2f * m - 1.1514610310e-1f) * m + 1.1676998740e-1f) * m - 1.2420140846e-1f) * m + 1.4249322787e-1f) * m - 1.6668057665e-1f) * m + 2.0000714765e-1f) * m - 2.4999993993e-1f) * m + 3.3333331174e-1f;
  return p * m * (m * m);
}`,
  },
  logarithm: {
    uses: ["splitNumber", "logarithmTail", "infinity", "notANumber"],
    text: `fn logarithm(x: f32) -> f32 {
  if (!(x > 0f)) { return select(notANumber(), -infinity(), x == 0f); }
  if (x > 3.4028234e38f) { return x; }
  let s = splitNumber(x);
  return s.x + (logarithmTail(s.x) - 2.12194440e-4f * s.y - 0.5f * (s.x * s.x)) + 0.693359375f * s.y;
}`,
  },
  logarithmOf1Plus: {
    uses: ["logarithm"],
    text: `fn logarithmOf1Plus(x: f32) -> f32 {
  if (!(abs(x) < 0.5f)) { return logarithm(x + 1f); }
  let s = x / (x + 2f);
  let q = s * s;
  return s * (2f + q * (6.6666667e-1f + q * (0.4f + q * (2.8571429e-1f + q * (2.2222222e-1f + q * (1.8181818e-1f + q * 1.5384615e-1f))))));
}`,
  },
  logarithmBase2: {
    uses: ["splitNumber", "logarithmTail", "logarithm"],
    text: `fn logarithmBase2(x: f32) -> f32 {
  if (!(x > 0f && x < 3.4028234e38f)) { return logarithm(x); }
  let s = splitNumber(x);
  return (s.x - 0.5f * (s.x * s.x) + logarithmTail(s.x)) * 1.44269504f + s.y;
}`,
  },
  logarithmBase10: { uses: ["logarithm"], text: "fn logarithmBase10(x: f32) -> f32 { return logarithm(x) * 0.43429448f; }" },

  // x less the nearest multiple of half pi, and which multiple it is.
  quarterTurns: {
    text: `fn quarterTurns(x: f32) -> vec2f {
  let n = floor(x * 0.63661977f + 0.5f);
  return vec2f(((x - n * 1.5703125f) - n * 4.837512969970703125e-4f) - n * 7.54978995489188216e-8f, n);
}`,
  },
  smallSine: { text: "fn smallSine(x: f32) -> f32 { let z = x * x; return ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * x + x; }" },
  smallCosine: { text: "fn smallCosine(x: f32) -> f32 { let z = x * x; return ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) * (z * z) - 0.5f * z + 1f; }" },
  sineOf: {
    uses: ["smallSine", "smallCosine", "notANumber"],
    text: `fn sineOf(r: f32, turns: i32) -> f32 {
  let y = select(smallSine(r), smallCosine(r), (turns & 1) == 1);
  return select(y, -y, (turns & 2) == 2);
}`,
  },
  sine: {
    uses: ["quarterTurns", "sineOf", "notANumber"],
    text: "fn sine(x: f32) -> f32 { if (!(abs(x) < 3.4e38f)) { return notANumber(); } let t = quarterTurns(x); return sineOf(t.x, i32(t.y)); }",
  },
  cosine: {
    uses: ["quarterTurns", "sineOf", "notANumber"],
    text: "fn cosine(x: f32) -> f32 { if (!(abs(x) < 3.4e38f)) { return notANumber(); } let t = quarterTurns(x); return sineOf(t.x, i32(t.y) + 1); }",
  },
  tangent: {
    uses: ["quarterTurns", "sineOf", "notANumber"],
    text: `fn tangent(x: f32) -> f32 {
  if (!(abs(x) < 3.4e38f)) { return notANumber(); }
  let t = quarterTurns(x);
  return sineOf(t.x, i32(t.y)) / sineOf(t.x, i32(t.y) + 1);
}`,
  },
  // Between 0 and 1.
  arcSineInside: {
    text: `fn arcSineInside(a: f32) -> f32 {
  let large = a > 0.5f;
  let z = select(a * a, 0.5f * (1f - a), large);
  let s = select(a, sqrt(z), large);
  let p = ((((4.2163199048e-2f * z + 2.4181311049e-2f) * z + 4.5470025998e-2f) * z + 7.4953002686e-2f) * z + 1.6666752422e-1f) * z * s + s;
  return select(p, 1.57079633f - 2f * p, large);
}`,
  },
  arcSine: {
    uses: ["arcSineInside", "notANumber"],
    text: "fn arcSine(x: f32) -> f32 { if (!(abs(x) <= 1f)) { return notANumber(); } let y = arcSineInside(abs(x)); return select(y, -y, x < 0f); }",
  },
  arcCosine: {
    uses: ["arcSineInside", "notANumber"],
    text: `fn arcCosine(x: f32) -> f32 {
  if (!(abs(x) <= 1f)) { return notANumber(); }
  if (abs(x) > 0.5f) {
    let y = 2f * arcSineInside(sqrt(0.5f * (1f - abs(x))));
    return select(y, 3.14159265f - y, x < 0f);
  }
  let y = arcSineInside(abs(x));
  return 1.57079633f - select(y, -y, x < 0f);
}`,
  },
  arcTangent: {
    uses: ["isNaN"],
    text: `fn arcTangent(x: f32) -> f32 {
  if (isNaN(x)) { return x; }
  let a = abs(x);
  var r = a;
  var y = 0f;
  if (a > 2.414213562f) { y = 1.57079633f; r = -1f / a; }
  else if (a > 0.4142135624f) { y = 0.785398163f; r = (a - 1f) / (a + 1f); }
  let z = r * r;
  y += (((8.05374449538e-2f * z - 1.38776856032e-1f) * z + 1.99777106478e-1f) * z - 3.33329491539e-1f) * z * r + r;
  return select(y, -y, x < 0f);
}`,
  },
  arcTangent2: {
    uses: ["arcTangent", "isNaN", "negative"],
    text: `fn arcTangent2(y: f32, x: f32) -> f32 {
  if (isNaN(x) || isNaN(y)) { return x + y; }
  let a = abs(x);
  let b = abs(y);
  var r = 0f;
  if (a == b && a > 0f) { r = 0.785398163f; }
  else if (b > a) { r = 1.57079633f - arcTangent(a / b); }
  else if (a > 0f) { r = arcTangent(b / a); }
  if (negative(x)) { r = 3.14159265f - r; }
  return select(r, -r, negative(y));
}`,
  },

  hyperbolicSine: {
    uses: ["exponential"],
    text: `fn hyperbolicSine(x: f32) -> f32 {
  if (abs(x) < 1f) {
    let z = x * x;
    return x * (1f + z * (1.6666667e-1f + z * (8.3333333e-3f + z * (1.9841270e-4f + z * 2.7557319e-6f))));
  }
  let e = exponential(0.5f * abs(x));
  let y = 0.5f * e * e - 0.5f / (e * e);
  return select(y, -y, x < 0f);
}`,
  },
  hyperbolicCosine: {
    uses: ["exponential"],
    text: "fn hyperbolicCosine(x: f32) -> f32 { let e = exponential(0.5f * abs(x)); return 0.5f * e * e + 0.5f / (e * e); }",
  },
  hyperbolicTangent: {
    uses: ["exponential", "smallExponential"],
    text: `fn hyperbolicTangent(x: f32) -> f32 {
  let t = 2f * abs(x);
  var y = 0f;
  if (t < 0.5f) { let s = smallExponential(t); y = s / (s + 2f); }
  else { let e = exponential(-t); y = (1f - e) / (1f + e); }
  return select(y, -y, x < 0f);
}`,
  },
  sigmoid: {
    uses: ["exponential"],
    text: "fn sigmoid(x: f32) -> f32 { let e = exponential(-abs(x)); return select(1f, e, x < 0f) / (1f + e); }",
  },
  // The Maclaurin series below 1, Abramowitz and Stegun 7.1.26 above.
  errorFunction: {
    uses: ["exponential"],
    text: `fn errorFunction(x: f32) -> f32 {
  let a = abs(x);
  let z = x * x;
  if (a < 1f) {
    return x * (1.12837917f + z * (-3.76126389e-1f + z * (1.12837917e-1f + z * (-2.68661706e-2f + z * (5.22397762e-3f + z * (-8.54832702e-4f + z * (1.20553329e-4f + z * (-1.49256503e-5f + z * (1.64621143e-6f + z * (-1.63658446e-7f + z * 1.48071927e-8f))))))))));
  }
  let t = 1f / (1f + 0.3275911f * a);
  let y = 1f - t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f)))) * exponential(-z);
  return select(y, -y, x < 0f);
}`,
  },
  // a^y for a > 0, by the logarithm in two parts.
  positivePower: {
    uses: ["splitNumber", "logarithmTail", "scaledExponential", "infinity"],
    text: `fn positivePower(a: f32, y: f32) -> f32 {
  let s = splitNumber(a);
  let l = (s.x - 0.5f * (s.x * s.x) + logarithmTail(s.x)) * 1.44269504f;
  let whole = y * s.y;
  let rest = fma(y, s.y, -whole) + y * l;
  let n = floor(whole + rest + 0.5f);
  if (n > 128f) { return infinity(); }
  if (n < -150f) { return 0f; }
  return scaledExponential(((whole - n) + rest) * 0.693147181f, i32(n));
}`,
  },
  // As JavaScript has it: a negative base has a power for whole exponents.
  power: {
    uses: ["positivePower", "isNaN", "infinity", "notANumber"],
    text: `fn power(x: f32, y: f32) -> f32 {
  if (y == 0f) { return 1f; }
  if (isNaN(x) || isNaN(y)) { return x + y; }
  let a = abs(x);
  let huge = 3.4028234e38f;
  var r = 0f;
  if (abs(y) > huge) {
    if (a == 1f) { return notANumber(); }
    return select(0f, infinity(), (a > 1f) == (y > 0f));
  }
  if (a == 0f || a > huge) { r = select(0f, infinity(), (a > 1f) == (y > 0f)); }
  else { r = positivePower(a, y); }
  if (x < 0f) {
    if (floor(y) != y) { return select(notANumber(), r, a > huge); }
    r = select(r, -r, y - 2f * floor(0.5f * y) == 1f);
  }
  return r;
}`,
  },
  distance: {
    uses: ["infinity", "isNaN"],
    text: `fn distance2(a: f32, b: f32) -> f32 {
  let large = max(abs(a), abs(b));
  if (abs(a) > 3.4028234e38f || abs(b) > 3.4028234e38f) { return infinity(); }
  if (isNaN(a) || isNaN(b)) { return a + b; }
  let ratio = min(abs(a), abs(b)) / max(large, 1e-37f);
  return large * sqrt(1f + ratio * ratio);
}`,
  },

  // The integer of a number modulo 2^32, as JavaScript's | 0 has it.
  bitsOf: {
    text: `fn bitsOf(x: f32) -> i32 {
  let bits = bitcast<u32>(x);
  let shift = i32((bits >> 23u) & 0xffu) - 150;
  if (shift < 8) { return i32(x); }
  if (shift >= 32) { return 0; }
  let size = i32(((bits & 0x7fffffu) | 0x800000u) << u32(shift));
  return select(size, -size, x < 0f);
}`,
  },
  // A 32-bit mixer with low bias (Chris Wellons, hash-prospector).
  mix: {
    text: `fn mix32(seed: u32) -> u32 {
  var x = seed;
  x ^= x >> 16u;
  x *= 0x7feb352du;
  x ^= x >> 15u;
  x *= 0x846ca68bu;
  x ^= x >> 16u;
  return x;
}`,
  },
};

/** The functions that one shader calls. */
export class Library {
  private readonly wanted = new Set<string>();

  /** The name under which a function is called; from now on it is part of the shader. */
  use(name: string): string {
    const helper = helpers[name];
    if (!helper) throw new Error(`there is no function ${name}`);
    if (!this.wanted.has(name)) {
      this.wanted.add(name);
      for (const other of helper.uses ?? []) this.use(other);
    }
    return /^fn (\w+)/.exec(helper.text)![1]!;
  }

  /** Their text. WGSL takes declarations in any order. */
  text(): string {
    return [...this.wanted].map((name) => helpers[name]!.text).join("\n");
  }
}
