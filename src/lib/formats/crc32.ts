const POLYNOMIAL = 0xedb88320;

/** Four tables, so that the loop takes four bytes a step. */
const tables = ((): Uint32Array[] => {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => {
    let c = byte;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ POLYNOMIAL : c >>> 1;
    return c;
  });
  const all = [first];
  for (let k = 1; k < 4; k++) all.push(all[k - 1].map((c) => first[c & 255] ^ (c >>> 8)));
  return all;
})();

/** CRC-32 as gzip, zip and PNG use it. `crc` continues a sum over earlier bytes. */
export const crc32 = (bytes: Uint8Array, crc = 0): number => {
  const [t0, t1, t2, t3] = tables;
  const whole = bytes.length - (bytes.length % 4);
  let c = ~crc;
  let at = 0;
  for (; at < whole; at += 4) {
    c ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    c = t3[c & 255] ^ t2[(c >>> 8) & 255] ^ t1[(c >>> 16) & 255] ^ t0[c >>> 24];
  }
  for (; at < bytes.length; at++) c = t0[(c ^ bytes[at]) & 255] ^ (c >>> 8);
  return ~c >>> 0;
};
