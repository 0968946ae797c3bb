import { toFloat32, toFloat64, type NdArray } from "../../../lib/formats/index.js";
import { augmentLidc, imageToVolume, normaliseLidc, rotate } from "../../../lib/transforms/index.js";
import { inputOf, withPrefix } from "../case.js";
import type { Computed } from "../compare.js";
import type { Family } from "../family.js";
import { Fields, isRecord, malformed } from "../fields.js";

const computed = (array: NdArray): Computed => ({ data: toFloat32(array), shape: array.shape });

const three = (values: readonly number[], what: string): readonly [number, number, number] => {
  const [a, b, c, ...more] = values;
  return c !== undefined && more.length === 0 ? [a, b, c] : malformed(`${what} should be three numbers, and is ${JSON.stringify(values)}`);
};

export const transforms: Family = {
  "crop/rotation/reflection": async (golden) => {
    const voxel = normaliseLidc(inputOf(golden, "voxel"));
    const outputs: Record<string, Computed> = {};
    golden.description.list("params").forEach((entry, k) => {
      const fields = new Fields(isRecord(entry) ? entry : malformed(`params[${k}] is not an object`), `params[${k}]`);
      const draws = {
        centre: three(fields.numbers("center"), "center"),
        turns: three(fields.numbers("angle"), "angle"),
        flip: fields.number("axis"),
      };
      // The original takes half of the size, rounded down, on either side.
      outputs[`output.${k}`] = computed(augmentLidc(voxel, draws, 2 * Math.floor(fields.number("size") / 2)));
    });
    for (const [name] of withPrefix(golden.arrays, "output.")) {
      const turned = /^(.+)_rot_(\d)_(\d)_(\d)$/.exec(name);
      if (turned) outputs[`output.${name}`] = computed(rotate(inputOf(golden, turned[1]), [Number(turned[2]), Number(turned[3]), Number(turned[4])]));
    }
    return { outputs };
  },
  "RandomChannelShuffle+Normalize+ImageToTensor+unsqueeze": async (golden) => {
    const { description } = golden;
    const image = inputOf(golden, "img_bgr_hwc");
    const [mean, std] = [description.number("mean"), description.number("std")];
    const channels = image.shape[2] ?? malformed(`input.img_bgr_hwc has shape [${image.shape.join(", ")}]`);
    const orders = "input.perms" in golden.arrays ? rows(inputOf(golden, "perms"), channels) : [];
    const outputs: Record<string, Computed> = {};
    orders.forEach((order, k) => {
      outputs[`output.${k}`] = computed(imageToVolume(image, { order, mean, std }));
    });
    if ("output.noshuffle" in golden.arrays) outputs["output.noshuffle"] = computed(imageToVolume(image, { mean, std }));
    return { outputs };
  },
};

const rows = (array: NdArray, columns: number): number[][] => {
  const values = [...toFloat64(array)];
  return Array.from({ length: values.length / columns }, (_, k) => values.slice(k * columns, (k + 1) * columns));
};
