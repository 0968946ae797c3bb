// A converter that the library does not have: every convolution sees the voxel's own slice and, in a third of the channels, the slice above.
import { expect, it } from "vitest";
import { pad, tensor, type Kernel2d, type Kernel3d, type Volume } from "../../../src/index.js";
import { conv3d, conversionReport, convert, printReport, unsqueeze, type Converter } from "../../../src/lib/index.js";
import { parameterCount, unet, type Variant } from "../../../src/lib/networks/index.js";
import { constantAlongDepth, difference, noise, run, sliceAt, someWeights } from "./sources.js";

const staircase: Variant = {
  name: "staircase",
  options: {},
  parameters: (of) => ({ weight: { shape: [of.out, of.in / of.groups, ...of.kernel], init: { kind: "constant", value: 0 } }, ...(of.bias ? { bias: { shape: [of.out], init: { kind: "constant", value: 0 } } } : {}) }),
  taps: ({ kernel, stride, padding, dilation }) => ({ kernel: [1, ...kernel], stride: [1, ...stride], padding: [0, ...padding], dilation: [1, ...dilation] }),
  multiplyAdds: (of) => (of.in / of.groups) * of.kernel[0] * of.kernel[1],
  apply: (x, { weight, bias }, { groups, padding }) => {
    const above = pad(x, [0, 0, [1, 0], 0, 0], { mode: "edge" });
    const stepped: Volume = tensor(x.shape, (n, c, d, h, v) => (c % 3 === 0 ? above(n, c, d, h, v) : x(n, c, d, h, v)));
    return conv3d(stepped, unsqueeze(weight as unknown as Kernel2d, 0, 1) as Kernel3d, { padding: [0, ...padding], groups, bias: bias as never });
  },
};

/** Every convolution becomes a staircase. */
const stairs: Converter = {
  name: "stairs",
  options: { every: 3 },
  pools: "in-plane",
  convolution: () => ({ variant: staircase, weights: { how: "turned upside down", map: (weights) => weights } }),
};

it("is an object like those of the library, and is treated as they are", async () => {
  const net = unet({ width: 4 });
  const state = someWeights(net);
  const conversion = convert(net, stairs);
  expect(parameterCount(conversion.network)).toBe(parameterCount(net));
  const report = conversionReport(conversion, { image: [1, 1, 8, 8], volume: [1, 1, 5, 8, 8] });
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  expect(report.layers.find((l) => l.name === "final")).toMatchObject({ after: "staircase of conv 2 to 3, 1 x 1", weights: "turned upside down" });
  expect(report.multiplyAdds!.after).toBe(5 * report.multiplyAdds!.before);
  expect(printReport(report)).toMatch(/^U-Net by stairs \(every 3\)\n/);
  // Stairs of a volume that is constant along the depth lead nowhere.
  const x = noise(1, 1, 8, 8);
  const deep = await run(conversion.network, conversion.weights(state), { x: constantAlongDepth(x, 5) });
  const flat = await run(net, state, { x });
  for (let d = 0; d < 5; d++) expect(difference(sliceAt(deep, d), flat)).toBeLessThan(1e-9);
  const other = noise(1, 1, 5, 8, 8);
  expect(difference(sliceAt(await run(conversion.network, conversion.weights(state), { x: other }), 2), await run(net, state, { x: sliceAt(other, 2) }))).toBeGreaterThan(1e-3);
});
