import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { drawnShapes, drawnSolids, generateShapes, generateVoxels, SHAPES, SOLIDS, type Sample } from "../../../src/lib/generators/index.js";
import { createRandom } from "../../../src/lib/random/index.js";

interface Population {
  readonly class_fraction_mean: readonly number[];
  readonly class_fraction_std: readonly number[];
  readonly class_presence: readonly number[];
}

const population = (id: string): Population =>
  (JSON.parse(readFileSync(new URL(`../../goldens/${id}.json`, import.meta.url), "utf8")) as { population_statistics: Population })
    .population_statistics;

const fractions = ({ label }: Sample, classes: number): number[] =>
  Array.from({ length: classes }, (_, c) => (label.data as Uint8Array).reduce((n, l) => n + Number(l === c), 0) / label.data.length);

/** How often and how large each class is, against what the original generator gave. */
const expectPopulation = (
  samples: readonly Sample[],
  { class_fraction_mean: means, class_fraction_std: deviations, class_presence: presence }: Population,
): void => {
  const all = samples.map((sample) => fractions(sample, means.length));
  means.forEach((mean, c) => {
    const found = all.reduce((sum, f) => sum + f[c], 0) / all.length;
    expect(Math.abs(found - mean)).toBeLessThan((4.5 * deviations[c]) / Math.sqrt(all.length));
    const present = all.filter((f) => f[c] > 0).length / all.length;
    expect(Math.abs(present - presence[c])).toBeLessThan(4.5 * Math.sqrt((presence[c] * (1 - presence[c]) + 0.01) / all.length));
  });
};

describe("squares and circles", () => {
  const samples = Array.from({ length: 400 }, (_, seed) => generateShapes(createRandom(seed)));
  it("are as frequent and as large as the original's", () => expectPopulation(samples, population("poc_samples_2d")));
  it("come again with their seed", () => {
    expect(generateShapes(createRandom(11))).toEqual(samples[11]);
    expect(generateShapes(createRandom(12)).image).not.toEqual(samples[11].image);
  });
  it("have noise of one half on the foreground", () => {
    const noise = samples
      .slice(0, 50)
      .flatMap(({ image, label }) => Array.from(image.data as Float32Array, (v, i) => v - (Number(label.data[i]) === SHAPES.length - 1 ? 0 : 1)));
    const mean = noise.reduce((a, b) => a + b, 0) / noise.length;
    expect(Math.abs(mean)).toBeLessThan(0.01);
    expect(Math.abs(Math.sqrt(noise.reduce((a, v) => a + (v - mean) ** 2, 0) / noise.length) - 0.5)).toBeLessThan(0.01);
  });
});

describe("solids", () => {
  it("are as frequent and as large as the original's", () =>
    expectPopulation(
      Array.from({ length: 60 }, (_, seed) => generateVoxels(createRandom(seed))),
      population("poc_samples_3d"),
    ));
  const volumeOf = (type: (typeof SOLIDS)[number], turns: readonly [number, number, number] = [0, 0, 0]): number =>
    (drawnSolids([{ cell: 5, side: 21, height: 20, turns, type: SOLIDS.indexOf(type), offset: [0, 1, 2] }]).data as Uint8Array).reduce(
      (n, l) => n + Number(l !== SOLIDS.length - 1),
      0,
    );
  it("have the volumes of their names", () => {
    expect(volumeOf("cube")).toBe(21 ** 3);
    const close = (found: number, exact: number): void => expect(Math.abs(found / exact - 1)).toBeLessThan(0.1);
    close(volumeOf("ball"), (Math.PI / 6) * 21 ** 3);
    close(volumeOf("cylinder"), (Math.PI / 4) * 21 ** 2 * 20);
    close(volumeOf("cone"), (Math.PI / 12) * 21 ** 2 * 20);
    close(volumeOf("pyramid"), (21 ** 2 * 20) / 3);
  });
  it("keep their volume when turned", () => {
    expect(volumeOf("cone", [1, 2, 3])).toBe(volumeOf("cone"));
    expect(volumeOf("pyramid", [3, 1, 0])).toBe(volumeOf("pyramid"));
  });
});

describe("draws", () => {
  it("that leave their cell, or name no class, are refused", () => {
    expect(() => drawnShapes([{ cell: 1, side: 20, type: 0, offset: [5, 0] }])).toThrow(
      "a square of extents [20, 20] at offset [5, 0] leaves its cell of 24",
    );
    expect(() => drawnShapes([{ cell: 1, side: 20, type: 2, offset: [0, 0] }])).toThrow("class 2 is not one of square, circle");
  });
  it("go where they say", () => {
    const { data } = drawnShapes([{ cell: 2, side: 5, type: 0, offset: [3, 4] }]);
    const found = Array.from(data as Uint8Array).flatMap((l, i) => (l === 0 ? [[Math.floor(i / 48), i % 48]] : []));
    expect([found[0], found.at(-1), found.length]).toEqual([[3, 28], [7, 32], 25]);
  });
});
