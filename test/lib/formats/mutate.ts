/** A generator of whole numbers below `n`; the same seed, the same numbers. */
export const dice = (seed: number): ((n: number) => number) => {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x9e3779b9) >>> 0;
    let x = state;
    x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return ((x ^ (x >>> 15)) >>> 0) % n;
  };
};

/** Numbers that programs stumble over, as they lie in a file. */
const extremes = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

/** The file with one to four things wrong: bits, bytes, numbers, what is cut out, put in, doubled, or missing at the end. */
export const mutated = (file: Uint8Array, draw: (n: number) => number): Uint8Array => {
  let bytes = new Uint8Array(file);
  for (let times = 1 + draw(4); times > 0; times--) {
    const at = draw(Math.max(bytes.length, 1));
    const length = 1 + draw(Math.min(64, Math.max(bytes.length - at, 1)));
    switch (draw(9)) {
      case 0: bytes[at] ^= 1 << draw(8); break;
      case 1: bytes[at] = draw(256); break;
      case 2: bytes[at] = [0, 0x7f, 0x80, 0xff][draw(4)]; break;
      case 3: {
        const width = [1, 2, 4, 8][draw(4)];
        const value = extremes[draw(extremes.length)];
        const big = draw(2) === 0;
        for (let n = 0; n < width && at + n < bytes.length; n++) bytes[at + (big ? width - 1 - n : n)] = n < 4 ? (value >>> (8 * n)) & 255 : value === 0xffffffff ? 255 : 0;
        break;
      }
      case 4: bytes = bytes.slice(0, at); break;
      case 5: bytes = Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + length)]); break;
      case 6: bytes = Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at, at + length), ...bytes.subarray(at)]); break;
      case 7: bytes = Uint8Array.from([...bytes.subarray(0, at), ...Array.from({ length }, () => draw(256)), ...bytes.subarray(at)]); break;
      default: bytes.copyWithin(draw(Math.max(bytes.length, 1)), at, at + length);
    }
  }
  return bytes;
};
