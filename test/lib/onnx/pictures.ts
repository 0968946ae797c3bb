import { readFileSync } from "node:fs";
import { readNpz } from "../../../src/lib/formats/npy.js";

/**
 * `bike.jpg` of the SqueezeNet folder's origin: its short side scaled to 227 (Lanczos) and the centre cut out, [227, 227, 3], RGB.
 * Decoded once, so that no JPEG reader is needed.
 */
const picture = (): Uint8Array => readNpz(readFileSync(new URL("samples/bike.npz", import.meta.url)))["picture"].data as Uint8Array;
const SIDE = 227;

/** As this SqueezeNet was trained: BGR minus 104, 117, 123. */
export const forSqueezeNet = (): Float32Array => {
  const rgb = picture();
  const mean = [104, 117, 123];
  const n = SIDE * SIDE;
  return Float32Array.from({ length: 3 * n }, (_, at) => rgb[3 * (at % n) + 2 - Math.floor(at / n)] - mean[Math.floor(at / n)]);
};

/** As U2-Net was trained: 320 x 320 (bilinear), divided by the maximum, then by ImageNet's mean and deviation. */
export const forU2Net = (): Float32Array => {
  const rgb = picture();
  const most = rgb.reduce((a, b) => Math.max(a, b));
  const [mean, deviation] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];
  const out = new Float32Array(3 * 320 * 320);
  const place = (i: number): [number, number] => {
    const p = Math.min(Math.max(((i + 0.5) * SIDE) / 320 - 0.5, 0), SIDE - 1);
    return [Math.floor(p), p - Math.floor(p)];
  };
  for (let c = 0; c < 3; c++)
    for (let h = 0; h < 320; h++)
      for (let v = 0; v < 320; v++) {
        const [[y, t], [x, u]] = [place(h), place(v)];
        const at = (dy: number, dx: number): number => rgb[3 * (Math.min(y + dy, SIDE - 1) * SIDE + Math.min(x + dx, SIDE - 1)) + c];
        const value = (1 - t) * ((1 - u) * at(0, 0) + u * at(0, 1)) + t * ((1 - u) * at(1, 0) + u * at(1, 1));
        out[(c * 320 + h) * 320 + v] = (value / most - mean[c]) / deviation[c];
      }
  return out;
};
