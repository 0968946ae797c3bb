import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseCase } from "../../src/cli/goldens/case.js";
import { readCase } from "../../src/cli/goldens/files.js";
import { runCase, type CaseResult } from "../../src/cli/goldens/run.js";
import { readSafetensors, writeSafetensors, type Arrays } from "../../src/lib/formats/index.js";
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

  it("that mean nothing here are not passed over", async () => {
    expect(await changed("acs_k3_p1", (arrays) => void (arrays["grad.momentum"] = arrays["grad.input.x"]!))).toMatchObject({ status: "skipped", reason: "not mapped: grad.momentum" });
  });
});
