import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openSafetensors } from "../../../src/lib/formats/safetensors.js";
import { fnv1a32, lowbias32, recipeTensor, tensorSeed } from "../../../src/lib/weights/recipe.js";

const golden = (name: string): Buffer => readFileSync(new URL(`../../goldens/${name}`, import.meta.url));
const described = JSON.parse(golden("recipe_selftest.json").toString()) as Record<string, number>;

test("the hashes are those of the recipe", () => {
  expect(lowbias32(1)).toBe(described.lowbias32_of_1);
  expect(fnv1a32("conv1.weight")).toBe(described.fnv1a_conv1_weight);
  expect(tensorSeed("conv1.weight", described.seed)).toBe(described.tensor_seed_conv1_weight);
});

const file = openSafetensors(golden("recipe_selftest.safetensors"));
test.each(file.entries.map((entry) => [entry.name.replace("param.", ""), entry] as const))("%s bit for bit", (name, entry) => {
  const expected = file.read(entry.name).data as Float32Array;
  const { data, shape } = recipeTensor(name, entry.shape, described.seed);
  expect(shape).toEqual(entry.shape);
  expect(Buffer.from(data.buffer).equals(Buffer.from(expected.buffer, expected.byteOffset, expected.byteLength))).toBe(true);
});
