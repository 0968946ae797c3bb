// Transposed convolutions, which the published converters leave alone.
import { describe, expect, it } from "vitest";
import { convert, converters } from "../../../src/lib/index.js";
import { network, parameterCount, parts, sequential, valueShapes, type Network } from "../../../src/lib/networks/index.js";
import { constantAlongDepth, difference, noise, run, sliceAt, someWeights } from "./sources.js";

const { a3d, acs, alignShift, conv25d, conv3d, i3d, softAcs, tsm } = converters;

const netOf = (options: Parameters<typeof parts.convTranspose>[4]): Network =>
  network("transposed", ["x"], (x) => sequential(parts.conv(2, "down", 2, 4, { padding: 1, stride: 2 }), parts.relu, parts.convTranspose(2, "up", 4, 6, options))(x));

describe.each([
  ["2, stride 2", { kernel: 2, stride: 2 }],
  ["2, stride 2, two groups", { kernel: 2, stride: 2, groups: 2 }],
  ["4, stride 2, padding 1", { kernel: 4, stride: 2, padding: 1 }],
  ["3, stride 2, padding 1, one more at the end", { kernel: 3, stride: 2, padding: 1, outputPadding: 1, bias: false }],
] as const)("kernel %s", (_, options) => {
  const net = netOf(options);
  const state = someWeights(net);
  const x = noise(1, 2, 4, 6);

  it("gives a volume of the extents of its input by every converter, with the parameters of the 2D network", () => {
    for (const converter of [acs(), softAcs(), softAcs({ mean: true }), conv25d(), conv25d({ axis: 1 }), i3d(), conv3d(), tsm(), alignShift(), a3d({ dimension: 4 })]) {
      const { network: converted } = convert(net, converter);
      const shapes = { x: [1, 2, 4, 4, 6], ...(converted.inputs.includes("thickness") ? { thickness: [1] } : {}) };
      expect(valueShapes(converted, shapes)["up"], converter.name).toEqual([1, 6, 4, 4, 6]);
      if (["acs", "conv25d", "tsm", "alignShift"].includes(converter.name)) expect(parameterCount(converted)).toBe(parameterCount(net));
    }
  });
  it("by 2.5D, TSM without its shift and I3D is the 2D result inside of a volume that is constant along the depth", async () => {
    const flat = await run(net, state, { x });
    const deepOf = async (converter: Parameters<typeof convert>[1]) => {
      const { network: converted, weights } = convert(net, converter);
      return run(converted, weights(state), { x: constantAlongDepth(x, 8) });
    };
    const [deep, shifted] = [await deepOf(conv25d()), await deepOf(tsm({ shift: false }))];
    for (let d = 2; d < 6; d++) expect(difference(sliceAt(deep, d), flat), `slice ${d}`).toBeLessThan(1e-9);
    for (let d = 0; d < 8; d++) expect(difference(sliceAt(shifted, d), flat), `slice ${d}`).toBeLessThan(1e-9);
    const inflated = await deepOf(i3d());
    for (let d = 3; d < 5; d++) expect(difference(sliceAt(inflated, d), flat), `slice ${d}`).toBeLessThan(1e-5);
  });
});
