import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Affine } from "../../../src/lib/formats/affine.js";
import { readNifti } from "../../../src/lib/formats/nifti.js";
import { bitmap, paste, textWidth, write, type Bitmap } from "../../../src/lib/image/bitmap.js";
import { glyphHeight, glyphs, glyphWidth } from "../../../src/lib/image/font.js";
import { montage, type Convention, type ViewName } from "../../../src/lib/image/montage.js";
import { refusal } from "../formats/refusal.js";

const coloured = ({ data, width }: Bitmap, is: (red: number, green: number, blue: number) => boolean): [number, number][] => {
  const found: [number, number][] = [];
  for (let at = 0; at < data.length; at += 4) if (is(data[at], data[at + 1], data[at + 2])) found.push([(at / 4) % width, Math.floor(at / 4 / width)]);
  return found;
};
const centre = (points: [number, number][]): [number, number] => [points.reduce((sum, [x]) => sum + x, 0) / points.length, points.reduce((sum, [, y]) => sum + y, 0) / points.length];

/** A ball of tissue with a label off its centre, towards one side of the patient, stored with axes in any order and direction. */
const head = (affine: Affine, towards: readonly [number, number, number]) => {
  const n = 24;
  const data = new Uint8Array(n ** 3);
  const labels = new Uint8Array(n ** 3);
  for (let k = 0; k < n; k++) {
    for (let j = 0; j < n; j++) {
      for (let i = 0; i < n; i++) {
        const [x, y, z] = affine.map(([a, b, c]) => a * (i - 11.5) + b * (j - 11.5) + c * (k - 11.5));
        const at = i + n * (j + n * k);
        if (Math.hypot(x, y, z) < 11) data[at] = 100;
        if (Math.hypot(x - 6 * towards[0], y - 6 * towards[1], z - 6 * towards[2]) < 3) labels[at] = 1;
      }
    }
  }
  return { volume: { data, shape: [n, n, n], affine }, labels };
};
const orientations: Record<string, Affine> = {
  RAS: [[1, 0, 0, -11], [0, 1, 0, -11], [0, 0, 1, -11]],
  LIA: [[-1, 0, 0, 11], [0, 0, 1, -11], [0, -1, 0, 11]],
  ASR: [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]],
  LPS: [[-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0]],
};

describe("a montage shows the patient, however the file is stored", () => {
  const cases: [ViewName, Convention, readonly [number, number, number], readonly [number, number]][] = [
    ["axial", "neurological", [1, 0, 0], [1, 0]],
    ["axial", "radiological", [1, 0, 0], [-1, 0]],
    ["axial", "radiological", [0, 1, 0], [0, -1]],
    ["coronal", "neurological", [-1, 0, 0], [-1, 0]],
    ["coronal", "radiological", [-1, 0, 0], [1, 0]],
    ["coronal", "neurological", [0, 0, 1], [0, -1]],
    ["sagittal", "neurological", [0, 1, 0], [1, 0]],
    ["sagittal", "radiological", [0, 1, 0], [1, 0]],
    ["sagittal", "neurological", [0, 0, -1], [0, 1]],
  ];
  test.each(Object.entries(orientations).flatMap(([name, affine]) => cases.map((rest) => [name, affine, ...rest] as const)))("%s %o, %s %s: %o is at %o", (_, affine, view, convention, towards, [dx, dy]) => {
    const picture = montage({ ...head(affine, towards), views: [view], columns: 1, convention, palette: [[255, 0, 0]], opacity: 1, window: [0, 100] });
    const [lx, ly] = centre(coloured(picture, (red, green, blue) => red === 255 && green === 0 && blue === 0));
    const [cx, cy] = centre(coloured(picture, (red, green, blue) => (red === 255 && green === blue) || (red > 200 && green > 200 && blue > 200)));
    if (dx !== 0) expect(Math.sign(Math.round((lx - cx) / 3))).toBe(dx);
    if (dy !== 0) expect(Math.sign(Math.round((ly - cy) / 3))).toBe(dy);
  });
});

describe("montage", () => {
  test("pixels are square in mm, whatever the voxels are", () => {
    const [ni, nj, nk] = [20, 20, 5];
    const volume = { data: new Float32Array(ni * nj * nk).fill(1), shape: [ni, nj, nk], affine: [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 4, 0]] as Affine };
    for (const view of ["axial", "coronal", "sagittal"] as const) {
      const white = coloured(montage({ volume, views: [view], columns: 1, window: [0, 1] }), (red, green, blue) => red === 255 && green === 255 && blue === 255);
      expect(white.length).toBeGreaterThan(350); // 20 x 20, less the letters at the sides
      expect(Math.max(...white.map(([x]) => x)) - Math.min(...white.map(([x]) => x))).toBe(19);
      expect(Math.max(...white.map(([, y]) => y)) - Math.min(...white.map(([, y]) => y))).toBe(19);
    }
  });

  test("of the T1 volume: labels everywhere, the cerebellum low and behind", () => {
    const volumes = new URL("../../../data/volumes/", import.meta.url);
    const volume = readNifti(readFileSync(new URL("t1_crop.nii.gz", volumes)));
    const labels = readNifti(readFileSync(new URL("t1_crop_meshnet5_expected.nii.gz", volumes))).data;
    const picture = montage({ volume, labels, names: ["white matter", "grey matter"], columns: 3 });
    const green = coloured(picture, (red, g, blue) => g > red + 20 && g > blue);
    expect(green.length).toBeGreaterThan(20000);
    expect(picture.data.every((value, at) => at % 4 !== 3 || value === 255)).toBe(true);
    // The cerebellum and the brain stem are the lowest part of the brain, and lie behind its centre: on the left when the nose points right.
    const brain = coloured(montage({ volume, labels, views: ["sagittal"], columns: 1, palette: [[0, 255, 0]], opacity: 1 }), (red, g, blue) => red === 0 && g === 255 && blue === 0);
    const bottom = Math.max(...brain.map(([, y]) => y));
    expect(centre(brain.filter(([, y]) => y > bottom - 20))[0]).toBeLessThan(centre(brain)[0] - 10);
  });

  test("an empty image and one without labels are pictures too", () => {
    const volume = { data: new Uint8Array(8), shape: [2, 2, 2], affine: orientations.RAS };
    expect(montage({ volume }).width).toBeGreaterThan(0);
    expect(montage({ volume, labels: new Uint8Array(8) }).width).toBeGreaterThan(0);
  });

  test("refuses labels of another size, and no columns", () => {
    const volume = { data: new Uint8Array(8), shape: [2, 2, 2], affine: orientations.RAS };
    expect(refusal(() => montage({ volume, labels: new Uint8Array(7) }))).toBe("format-shape");
    expect(refusal(() => montage({ volume, columns: 0 }))).toBe("format-shape");
    expect(refusal(() => montage({ volume: { ...volume, affine: [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]] } }))).toBe("format-affine");
  });
});

describe("bitmap", () => {
  test("every glyph fits its cell and no two look the same", () => {
    for (const [character, rows] of glyphs) {
      expect(rows, character).toHaveLength(glyphHeight);
      expect(rows.every((bits) => Number.isInteger(bits) && bits >= 0 && bits < 2 ** glyphWidth), character).toBe(true);
    }
    expect(new Set([...glyphs.values()].map(String)).size).toBe(glyphs.size);
    for (const character of "axial coronal sagittal neurological: the patient's left is on the right radiological LRAPSI xyz -0123456789") expect(glyphs.has(character), character).toBe(true);
  });

  test("text and pictures are clipped at every edge", () => {
    const sheet = bitmap(10, 10);
    for (const [x, y] of [[-3, -3], [8, 8], [-50, 0], [0, 50]]) {
      write(sheet, "W?", x, y);
      paste(sheet, bitmap(5, 5, [1, 2, 3]), x, y);
    }
    expect(sheet.data.length).toBe(400);
    expect([...sheet.data.subarray(0, 4)]).toEqual([1, 2, 3, 255]);
    expect(textWidth("ab")).toBe(11);
    expect(textWidth("")).toBe(0);
  });
});
