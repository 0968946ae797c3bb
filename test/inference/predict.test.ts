import fc from "fast-check";
import { expect, test } from "vitest";
import { constant, IndexicalError, predict, sum, tensor, type Kernel3d, type Volume } from "../../src/index.js";
import { conv3d } from "../../src/lib/index.js";
import { startsAlong, weightsAlong, type Blend, type Triple } from "../../src/inference/index.js";

const integers = (count: number, seed: number): Float32Array => {
  let s = seed >>> 0;
  return Float32Array.from({ length: count }, () => ((s = (Math.imul(s, 1664525) + 1013904223) >>> 0) >>> 16) % 7 - 3);
};
const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

const classes = 3;
const kernel = (channels: number, k = 3): Kernel3d => constant<Kernel3d>(integers(classes * channels * k ** 3, 5), [classes, channels, k, k, k]);
const padded = (channels: number) => (x: Volume): Volume => conv3d(x, kernel(channels), { padding: 1 });
const valid = (channels: number) => (x: Volume): Volume => conv3d(x, kernel(channels));

/** What `model` gives for a window, in float64, by the meaning of the language: a tensor can be called. */
const plainConv = (data: ArrayLike<number>, channels: number, [D, H, W]: Triple, from: Triple, [d, h, w]: Triple, [top, side, left]: Triple, at: (c: number, z: number, y: number, x: number) => boolean): Float64Array => {
  const weights = integers(classes * channels * 27, 5);
  const out = new Float64Array(classes * d * h * w);
  for (let o = 0; o < classes; o++)
    for (let z = 0; z < d; z++)
      for (let y = 0; y < h; y++)
        for (let x = 0; x < w; x++) {
          let s = 0;
          for (let c = 0; c < channels; c++)
            for (let t = 0; t < 27; t++) {
              const [pz, py, px] = [from[0] + z + Math.floor(t / 9) - top, from[1] + y + (Math.floor(t / 3) % 3) - side, from[2] + x + (t % 3) - left];
              if (pz < 0 || py < 0 || px < 0 || pz >= D || py >= H || px >= W || !at(c, pz, py, px)) continue;
              s += data[((c * D + pz) * H + py) * W + px]! * weights[(o * channels + c) * 27 + t]!;
            }
          out[((o * d + z) * h + y) * w + x] = s;
        }
  return out;
};

const cases = fc.record({
  extents: fc.tuple(fc.integer({ min: 1, max: 11 }), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 10 })),
  window: fc.tuple(fc.integer({ min: 3, max: 8 }), fc.integer({ min: 3, max: 8 }), fc.integer({ min: 3, max: 8 })),
  channels: fc.integer({ min: 1, max: 2 }),
  overlap: fc.constantFrom(0, 0.25, 0.5, 0.8),
  blend: fc.constantFrom<Blend>("constant", "gaussian"),
  batch: fc.integer({ min: 1, max: 3 }),
});

test("blended scores are the weighted means of all windows, whatever their order, batch and overlap", async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ({ extents, window, channels, overlap, blend, batch }) => {
      const data = integers(channels * size(extents), 3);
      const { volume, windows } = await predict(padded(channels), { data, shape: [channels, ...extents] }, { window, overlap, blend, batch, result: "scores", threads: 1, device: "wasm" });
      const [sums, weights] = [new Float64Array(classes * size(extents)), new Float64Array(size(extents))];
      const along = window.map((n) => weightsAlong(n, blend, 1 / 8));
      const starts = window.map((n, a) => startsAlong(extents[a]!, n, Math.max(1, Math.round(n * (1 - overlap)))));
      for (const z0 of starts[0]!)
        for (const y0 of starts[1]!)
          for (const x0 of starts[2]!) {
            const inWindow = (_: number, z: number, y: number, x: number): boolean => z >= z0 && y >= y0 && x >= x0 && z < z0 + window[0] && y < y0 + window[1] && x < x0 + window[2];
            const scores = plainConv(data, channels, extents, [z0, y0, x0], window, [1, 1, 1], inWindow);
            for (let z = 0; z < window[0]; z++)
              for (let y = 0; y < window[1]; y++)
                for (let x = 0; x < window[2]; x++) {
                  if (z0 + z >= extents[0] || y0 + y >= extents[1] || x0 + x >= extents[2]) continue;
                  const at = ((z0 + z) * extents[1] + y0 + y) * extents[2] + x0 + x;
                  const weight = along[0]![z]! * along[1]![y]! * along[2]![x]!;
                  weights[at]! += weight;
                  for (let c = 0; c < classes; c++) sums[c * size(extents) + at]! += weight * scores[((c * window[0] + z) * window[1] + y) * window[2] + x]!;
                }
          }
      expect(windows).toBe(size(starts.map((s) => s.length)));
      expect(volume.shape).toEqual([classes, ...extents]);
      const worst = Math.max(...volume.data.map((v, i) => Math.abs(v - sums[i]! / weights[i % size(extents)]!)));
      expect(worst).toBeLessThan(1e-3);
    }),
    { numRuns: 12 },
  );
}, 60_000);

test("convolutions without padding tile the volume: windows give what the whole volume with a margin gives, exactly", async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ({ extents, window, channels, batch }) => {
      const data = integers(channels * size(extents), 3);
      const { volume } = await predict(valid(channels), { data, shape: [channels, ...extents] }, { window, overlap: 0, blend: "constant", batch, result: "scores", threads: 1, device: "wasm" });
      expect([...volume.data]).toEqual([...plainConv(data, channels, extents, [0, 0, 0], extents, [1, 1, 1], () => true)].map((v) => v + 0));
    }),
    { numRuns: 12 },
  );
}, 60_000);

test("of a region alone: what the whole volume gives there, and 0 elsewhere", async () => {
  const extents: Triple = [9, 8, 7];
  const data = integers(size(extents), 3);
  const region = { start: [2, 1, 3], size: [5, 6, 4] } as const;
  const options = { window: 5, overlap: 0, blend: "constant", device: "wasm" } as const;
  for (const result of ["labels", "scores"] as const) {
    const all = (await predict(valid(1), { data, shape: extents }, { ...options, result })).volume;
    const part = (await predict(valid(1), { data, shape: extents }, { ...options, result, region })).volume;
    expect(part.shape).toEqual(all.shape);
    // At once, where the convolutions see nothing beyond the volume.
    const inner = await predict(valid(1), { data, shape: extents }, { window: "whole", device: "wasm", result, region: { start: [1, 1, 1], size: [7, 6, 5] } });
    expect(inner).toMatchObject({ windows: 1, window: extents });
    expect([...inner.volume.data]).toEqual([...all.data].map((v, i) => ([Math.floor(i / 56) % 9, Math.floor(i / 7) % 8, i % 7].every((n, a) => n >= 1 && n < extents[a]! - 1) ? v : 0)));
    const inside = (i: number): boolean => {
      const at = [Math.floor(i / 56) % 9, Math.floor(i / 7) % 8, i % 7];
      return at.every((n, a) => n >= region.start[a]! && n < region.start[a]! + region.size[a]!);
    };
    expect([...part.data]).toEqual([...all.data].map((v, i) => (inside(i) ? v : 0)));
  }
});

test("labels are the first of the highest scores, in one window and in many", async () => {
  const extents: Triple = [6, 7, 9];
  const data = integers(size(extents), 11);
  const volume = { data, shape: extents };
  const expected = plainConv(data, 1, extents, [0, 0, 0], extents, [1, 1, 1], () => true);
  const labels = Uint8Array.from({ length: size(extents) }, (_, i) => {
    const scores = [0, 1, 2].map((c) => expected[c * size(extents) + i]!);
    return scores.indexOf(Math.max(...scores));
  });
  const one = await predict(padded(1), volume, { window: "whole", device: "wasm" });
  const chosen = await predict(padded(1), volume, { device: "wasm" });
  const larger = await predict(padded(1), volume, { window: [8, 8, 16], device: "wasm" });
  const many = await predict(valid(1), volume, { window: 5, overlap: 0, device: "wasm" });
  expect(one.volume.data).toEqual(labels);
  expect(chosen.volume.data).toEqual(labels);
  expect(chosen.window).toEqual(extents);
  expect(larger.volume.data).toEqual(labels);
  expect(many.volume.data).toEqual(labels);
  expect(many.windows).toBe(2 * 3 * 3);
});

test("of one class, what lies above the threshold is labelled", async () => {
  const data = Float32Array.from({ length: 6 ** 3 }, (_, n) => (n % 10) / 10);
  const same = (x: Volume): Volume => tensor((n, c, d, h, w) => x(n, c, d, h, w));
  const above = (threshold: number) => [...data].map((v) => (v > Math.fround(threshold) ? 1 : 0));
  for (const window of ["whole", 3] as const) {
    const usual = await predict(same, { data, shape: [6, 6, 6] }, { window, overlap: 0, device: "wasm" });
    const higher = await predict(same, { data, shape: [6, 6, 6] }, { window, overlap: 0, threshold: 0.75, device: "wasm" });
    expect([...usual.volume.data]).toEqual(above(0.5));
    expect([...higher.volume.data]).toEqual(above(0.75));
  }
});

test("an image in space keeps its place, and its first index runs fastest", async () => {
  const data = integers(4 * 5 * 6, 2);
  const image = { data, shape: [4, 5, 6], affine: [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], spacing: [1, 1, 3] };
  const identity = (x: Volume): Volume => tensor([1, 2, 6, 5, 4], (n, c, d, h, w) => (c === 0 ? 0 : x(n, 0, d, h, w)));
  const { volume } = await predict(identity, image, { window: "whole", device: "wasm" });
  expect(volume).toMatchObject({ shape: [4, 5, 6], affine: image.affine, spacing: [1, 1, 3] });
  expect([...volume.data]).toEqual([...data].map((v) => (v > 0 ? 1 : 0)));
  const scores = await predict(identity, image, { window: "whole", device: "wasm", result: "scores" });
  expect(scores.volume.shape).toEqual([4, 5, 6, 2]);
});

test("the window is the largest that fits in the memory that is allowed", async () => {
  const data = integers(32 * 32 * 40, 2);
  const volume = { data, shape: [32, 32, 40] };
  const full = await predict(padded(1), volume, { device: "wasm" });
  const less = await predict(padded(1), volume, { device: "wasm", memoryBytes: 400_000, divisor: 4, overlap: 0.5 });
  expect(full.window).toEqual([32, 32, 40]);
  expect(less.windows).toBeGreaterThan(1);
  expect(less.window.every((n) => n % 4 === 0)).toBe(true);
  await expect(predict(padded(1), volume, { device: "wasm", memoryBytes: 1000 })).rejects.toMatchObject({ code: "predict-memory" });
});

test("progress is told, and a run can be stopped", async () => {
  const volume = { data: integers(8 ** 3, 2), shape: [8, 8, 8] };
  const seen: [number, number][] = [];
  await predict(padded(1), volume, { window: 4, overlap: 0, device: "wasm", onProgress: (done, total) => seen.push([done, total]) });
  expect(seen.at(0)).toEqual([0, 8]);
  expect(seen.at(-1)).toEqual([8, 8]);
  const stop = new AbortController();
  const stopped = predict(padded(1), volume, { window: 4, overlap: 0, device: "wasm", signal: stop.signal, onProgress: (done) => done === 2 && stop.abort() });
  await expect(stopped).rejects.toMatchObject({ name: "AbortError" });
});

test("wrong options are refused with their numbers", async () => {
  const volume = { data: integers(8 ** 3, 2), shape: [8, 8, 8] };
  const refused = async (run: Promise<unknown>, code: string, text: RegExp): Promise<void> => {
    const error = await run.then(() => undefined, (e: unknown) => e);
    expect(error).toBeInstanceOf(IndexicalError);
    expect((error as IndexicalError).code).toBe(code);
    expect((error as IndexicalError).message).toMatch(text);
  };
  await refused(predict(padded(1), volume, { overlap: 1 }), "predict-option", /overlap is 1/);
  await refused(predict(padded(1), volume, { window: 0 }), "predict-option", /window is 0/);
  await refused(predict(padded(1), volume, { batch: 1.5 }), "predict-option", /batch is 1.5/);
  await refused(predict(padded(1), volume, { sigma: 0 }), "predict-option", /sigma is 0/);
  await refused(predict(valid(1), volume, { window: 6, stride: 5 }), "predict-option", /stride is 5 .* 4 voxels/);
  await refused(predict(padded(1), { data: volume.data, shape: [8, 8] }), "predict-option", /shape \[8, 8\]/);
  await refused(predict(padded(1), volume, { region: { start: [0, 0, 5], size: [8, 8, 4] } }), "predict-option", /region starts at \[0, 0, 5\] with size \[8, 8, 4\], in a volume of \[8, 8, 8\]/);
  const pooled = (x: Volume): Volume => tensor([1, 2, 1, 1, 9], (n, c, d, h, w) => sum([8], (k) => (w < 8 && c < 1 ? x(n, 0, d, h, k) : 0)));
  await refused(predict(pooled, volume, { window: 8 }), "predict-model", /\[1, 2, 1, 1, 9\]/);
});
