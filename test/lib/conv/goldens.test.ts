import { readFileSync } from "node:fs";
import { describe, it } from "vitest";
import type { AnyTensor, Matrix, Volume } from "../../../src/index.js";
import {
  a3dConv3d, acsConv3d, alignShiftConv3d, conv25d, meanAcsConv3d, softAcsAlpha, softAcsConv3d, tsmConv3d,
} from "../../../src/lib/index.js";
import { expectClose, golden, runGolden } from "../golden.js";

type Inputs = { readonly x: Volume; readonly thickness: Matrix };
type Ctor = Readonly<Record<string, never>>;

const operators: Record<string, (inputs: Inputs, p: Record<string, never>, c: Ctor) => AnyTensor> = {
  ACSConv: ({ x }, p, c) => acsConv3d(x, p["weight"], { ...geometry(c), bias: p["bias"], split: c["acs_kernel_split"], flat: "published" }),
  SoftACSConv: ({ x }, p, c) =>
    c["mean"] ? meanAcsConv3d(x, p["weight"], { ...geometry(c), bias: p["bias"] }) : softAcsConv3d(x, p["weight"], softAcsAlpha(p["soft_w_core"]), { ...geometry(c), bias: p["bias"] }),
  Conv2_5d: ({ x }, p, c) => conv25d(x, p["weight"], { ...geometry(c), bias: p["bias"], axis: c["unsqueeze_axis"] ?? -3 }),
  TSMConv: ({ x }, p, c) => tsmConv3d(x, p["weight"], { ...geometry(c), bias: p["bias"], nFold: c["n_fold"] ?? 8 }),
  AlignShiftConv: ({ x, thickness }, p, c) =>
    alignShiftConv3d(x, p["weight"], thickness, {
      ...geometry(c), bias: p["bias"], nFold: c["n_fold"] ?? 8, refThickness: c["ref_thickness"] ?? 2, paddingZero: c["shift_padding_zero"] ?? false, shift: c["alignshift"] ?? true,
    }),
  A3DConv: ({ x }, p, c) => a3dConv3d(x, p["weight"], p["adaptive_align_weights"], { ...geometry(c), bias: p["bias"] }),
};

const geometry = ({ stride = 1, padding = 0, dilation = 1, groups = 1 }: Readonly<Record<string, number>>) => ({ stride, padding, dilation, groups });

describe("operators of the published code", () => {
  it.each([
    "acs_depthwise_k7", "acs_k1", "acs_k2_s2_even", "acs_k3_dil2_p2", "acs_k3_p1", "acs_k3_s2_even_nobias", "acs_k3_s2_odd", "acs_k3_valid", "acs_k5_p2",
    "acs_k7_s2_p3", "acs_split_1_2_7", "acs_tuple_stride", "conv25d_k3_p1", "conv25d_k5_s2_axis-1", "meanacs_k3_s2", "softacs_k3_p1",
    "a3d_d5", "alignshift_batch_thickness", "alignshift_off", "alignshift_padzero_nfold4", "tsm_nfold3_s2", "tsm_nfold8",
  ])("%s", async (id) => {
    const { op, ctor } = JSON.parse(readFileSync(new URL(`../../goldens/${id}.json`, import.meta.url), "utf8"));
    const g = golden(id);
    const { output } = await runGolden(g, (inputs, params) => operators[op](inputs as unknown as Inputs, params as Record<string, never>, ctor));
    expectClose(output, g.expected("output"), g.tolerance);
  });

  it.each(["acs_k1", "acs_k3_dil2_p2", "acs_k3_p1", "acs_k3_s2_even_nobias", "acs_k3_s2_odd", "acs_k3_valid", "acs_k7_s2_p3", "acs_tuple_stride"])(
    "%s, whose kernel is odd, as the block-sparse convolution",
    async (id) => {
      const { ctor } = JSON.parse(readFileSync(new URL(`../../goldens/${id}.json`, import.meta.url), "utf8"));
      const g = golden(id);
      const { output } = await runGolden(g, ({ x }, p) => acsConv3d(x, p["weight"] as never, { ...geometry(ctor), bias: p["bias"] as never }));
      expectClose(output, g.expected("output"), g.tolerance);
    },
  );
});
