import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseCase } from "../../src/cli/goldens/case.js";
import { readCase } from "../../src/cli/goldens/files.js";
import { runCase, type CaseResult } from "../../src/cli/goldens/run.js";
import { ndarray, readSafetensors, writeSafetensors, type Arrays } from "../../src/lib/formats/index.js";
import { recipeTensor } from "../../src/lib/weights/recipe.js";
import { folder } from "./goldens-on.js";

/** Runs a case of the repository after a change of what it stores. */
const changed = (id: string, change: (arrays: Arrays) => void): Promise<CaseResult> =>
  runCase(
    id,
    async () => {
      const [json, tensors] = await Promise.all(["json", "safetensors"].map(async (ending) => new Uint8Array(await readFile(join(folder, `${id}.${ending}`)))));
      const arrays = readSafetensors(tensors!);
      change(arrays);
      return parseCase(id, json!, writeSafetensors(arrays));
    },
    { device: "reference" },
  );

/** Moves one element of a gradient by a thousandth of the largest: five times what it may differ by. */
const moved = (arrays: Arrays, name: string): void => {
  const { data } = arrays[name]!;
  data[0] = Number(data[0]) + 1e-3 * Math.max(...Array.from(data as ArrayLike<number>, Math.abs));
};

describe("the gradients of a golden case", () => {
  it.each(["acs_k3_s2_odd", "softacs_k3_p1", "a3d_d5", "tsm_nfold8", "alignshift_batch_thickness", "acs_depthwise_k7", "label_smooth_loss", "mask_dice_loss", "seg_losses_metrics"])(
    "%s: each of them is compared",
    async (id) => {
      const { arrays } = await readCase(folder, id);
      const names = Object.keys(arrays).filter((name) => name.startsWith("grad."));
      expect(names.length).toBeGreaterThan(0);
      for (const name of names)
        expect(await changed(id, (all) => moved(all, name))).toMatchObject({ status: "failed", reason: expect.stringMatching(`^${name.replaceAll(".", "\\.")} at element 0`) });
    },
    120_000,
  );

  it("are of the sum of the output and g", async () => {
    expect(await changed("acs_k3_p1", (arrays) => void arrays["g"]!.data.fill(1 as never))).toMatchObject({ status: "failed", reason: expect.stringMatching(/^grad\./) });
  });

  it("are by parameters of a recipe as well", async () => {
    const [w, b] = ["weight", "bias"].map((name) => Number(recipeTensor(name, name === "weight" ? [1, 1, 1, 1] : [1], 5).data[0])) as [number, number];
    const [x, g] = [[1, -2, 3, 0.5], [2, 1, -1, 4]] as const;
    const of = (weight: number): Promise<CaseResult> => {
      const volume = (values: readonly number[]) => ndarray(Float32Array.from(values), [1, 1, 1, 2, 2]);
      const arrays: Arrays = {
        "input.x": volume(x), output: volume(x.map((v) => w * v + b)), g: volume(g),
        "grad.param.weight": ndarray(Float32Array.of(weight), [1, 1, 1, 1]), "grad.param.bias": ndarray(Float32Array.of(6), [1]),
      };
      const weights = { recipe: "hashw-v1", seed: 5, state_dict: { weight: [1, 1, 1, 1], bias: [1] } };
      const json = { system: "ACSConv", kind: "op", op: "ACSConv", ctor: { in_channels: 1, out_channels: 1, kernel_size: 1 }, tolerance: { rtol: 1e-5, atol: 1e-5 }, weights };
      return runCase("case", async () => parseCase("case", new TextEncoder().encode(JSON.stringify(json)), writeSafetensors(arrays)), { device: "reference" });
    };
    expect(await of(2 - 2 - 3 + 2)).toMatchObject({ status: "passed", reason: "" });
    expect(await of(-1.1)).toMatchObject({ status: "failed", reason: expect.stringMatching(/^grad\.param\.weight/) });
  });

  it("that mean nothing here are not passed over", async () => {
    expect(await changed("acs_k3_p1", (arrays) => void (arrays["grad.momentum"] = arrays["grad.input.x"]!))).toMatchObject({ status: "skipped", reason: "not mapped: grad.momentum" });
  });
});
