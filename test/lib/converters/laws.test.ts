// What a converted network has to do with the network that it was made of, for every converter and every kind of source.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { conversionReport, convert, converters } from "../../../src/lib/index.js";
import { ndarray, type NdArray } from "../../../src/lib/formats/index.js";
import { network, parameterCount, parameters, parts, unet, valueShapes, withOutputs, type Network, type StateDict } from "../../../src/lib/networks/index.js";
import { constantAlongDepth, difference, noise, numbers, run, sliceAt, someWeights, sources, type Converter } from "./sources.js";

const { a3d, acs, alignShift, conv25d, conv3d, i3d, softAcs, tsm } = converters;
const pools = "in-plane" as const;
const close = 1e-9;

const every: readonly Converter[] = [
  acs({ pools }), softAcs({ pools }), softAcs({ mean: true, pools }), conv25d({ pools }), conv25d({ axis: 1, pools }), conv25d({ axis: -1, pools }),
  i3d({ pools }), i3d({ axis: 1, pools }), conv3d({ pools }), tsm({ pools }), alignShift({ pools }), a3d({ dimension: 4 }),
];
const titled = (converter: Converter): string => `${converter.name} ${JSON.stringify(converter.options)}`;

const convolutions = (net: Network) => net.nodes.flatMap(({ layer }) => (layer.kind === "conv" || layer.kind === "variant" ? [layer.kind === "conv" ? layer : layer.of] : []));

describe.each(sources.map((source) => [source.net.name, source] as const))("%s", (_, { net, image: [channels, height, width] }) => {
  // ConvNeXt's kernels of 4 and 2 need as many slices where the depth is strided.
  const depth = net.name === "ConvNeXt" ? 8 : 4;
  const shapesOf = (converted: Network) => ({ x: [1, channels, depth, height, width], ...(converted.inputs.includes("thickness") ? { thickness: [1] } : {}) });

  it("is taken by every converter, and gives what it gave, with or without a depth", () => {
    const flat = valueShapes(net, [1, channels, height, width])[net.outputs[0]];
    for (const converter of every.map((c) => (c.name === "a3d" ? a3d({ dimension: depth }) : c))) {
      const { network: converted } = convert(net, converter);
      const shape = valueShapes(converted, shapesOf(converted))[converted.outputs[0]];
      expect(shape.length === 5 ? [...shape.slice(0, 2), ...shape.slice(3)] : shape, titled(converter)).toEqual(flat);
    }
  });

  it("has the parameters that each converter promises", () => {
    const count = parameterCount(net);
    const of = (converter: Converter): number => parameterCount(convert(net, converter).network);
    for (const converter of [acs(), softAcs({ mean: true }), conv25d(), conv25d({ axis: 2 }), tsm(), alignShift()]) expect(of(converter), titled(converter)).toBe(count);
    const all = convolutions(net);
    expect(of(softAcs())).toBe(count + all.reduce((n, layer) => n + 3 * layer.out, 0));
    expect(of(a3d({ dimension: 5, skipFirst: false }))).toBe(count + all.reduce((n, layer) => n + 25 * layer.in, 0));
    const deeper = all.reduce((n, { in: into, out, groups, kernel: [k] }) => n + ((out * into) / groups) * k * k * (k - 1), 0);
    for (const converter of [i3d(), i3d({ axis: 1 }), conv3d()]) expect(of(converter), titled(converter)).toBe(count + deeper);
  });

  it("reports each convolution, and the same totals as its networks", () => {
    for (const converter of [acs(), i3d(), tsm({ firstConvChannels: 1 })]) {
      const conversion = convert(net, converter);
      const { layers, parameters: total } = conversionReport(conversion);
      expect(layers.filter((l) => l.before.startsWith("conv")).length).toBe(convolutions(net).length);
      expect(total).toEqual({ before: parameterCount(net), after: parameterCount(conversion.network) });
    }
  });

  it("by 2.5D gives the 2D network's result on every slice of a volume that is constant along the depth", async () => {
    const state = someWeights(net);
    const x = noise(1, channels, height, width);
    const { network: converted, weights } = convert(net, conv25d({ pools }));
    const flat = await run(net, state, { x });
    const deep = await run(converted, weights(state), { x: constantAlongDepth(x, depth) });
    expect(Math.max(...numbers(flat).map(Math.abs))).toBeGreaterThan(1e-4);
    if (deep.shape.length === flat.shape.length) expect(difference(deep, flat)).toBeLessThan(close);
    else for (let d = 0; d < deep.shape[2]; d++) expect(difference(sliceAt(deep, d), flat), `slice ${d}`).toBeLessThan(close);
  });

  it("keeps its parameters by their names, in their order, and takes what is loaded later", () => {
    const state = someWeights(net);
    const doubled = Object.fromEntries(Object.entries(state).map(([name, array]) => [name, ndarray((array.data as Float32Array).map((v) => 2 * v), array.shape)]));
    // Fresh 3D kernels and norms leave only these.
    const linear = new Set(net.nodes.flatMap(({ layer, parameters: at }) => (layer.kind === "linear" ? [`${at}.weight`, `${at}.bias`] : layer.kind === "scale" ? [`${at}.gamma`] : [])));
    for (const converter of every) {
      const { network: converted, weights } = convert(net, converter);
      const made = weights(state);
      expect(Object.keys(made).sort(), titled(converter)).toEqual(Object.keys(parameters(converted)).sort());
      // Loading commutes with converting: what is made of other weights is what those weights are made of these.
      const again = weights(doubled);
      for (const name of Object.keys(state)) {
        if (converter.name === "conv3d" && !linear.has(name)) continue;
        expect(numbers(again[name]), `${titled(converter)} ${name}`).toEqual(numbers(made[name]).map((v) => 2 * v));
      }
    }
  });
});

/** One convolution, from the numbers that it has. */
const single = (into: number, out: number, options: Parameters<typeof parts.conv>[4]): Network => network("one", ["x"], (x) => parts.conv(2, "conv", into, out, options)(x));

const odd = fc.record({ kernel: fc.constantFrom(1, 3, 5), stride: fc.constantFrom(1, 2), dilation: fc.constantFrom(1, 2), perGroup: fc.integer({ min: 1, max: 2 }), groups: fc.constantFrom(1, 2), outPerGroup: fc.integer({ min: 1, max: 3 }), bias: fc.boolean() });

const convOf = ({ kernel, stride, dilation, perGroup, groups, outPerGroup, bias }: typeof odd extends fc.Arbitrary<infer T> ? T : never): Network =>
  single(perGroup * groups, outPerGroup * groups, { kernel, stride, dilation, padding: (dilation * (kernel - 1)) / 2, groups, bias });

describe("one convolution", () => {
  it("by I3D gives the 2D result inside of a volume that is constant along the depth", () =>
    fc.assert(fc.asyncProperty(odd, async (given) => {
      const net = convOf(given);
      const state = someWeights(net);
      const x = noise(1, given.perGroup * given.groups, 6, 7);
      const { network: converted, weights } = convert(net, i3d());
      const reach = (given.dilation * (given.kernel - 1)) / 2;
      const depth = 2 * reach + 3;
      const [flat, deep] = [await run(net, state, { x }), await run(converted, weights(state), { x: constantAlongDepth(x, depth) })];
      const inside = Array.from({ length: deep.shape[2] }, (_, d) => d).filter((d) => d * given.stride >= reach && d * given.stride < depth - reach);
      expect(inside.length).toBeGreaterThan(0);
      // The divided weights are rounded to float32.
      for (const d of inside) expect(difference(sliceAt(deep, d), flat)).toBeLessThan(1e-5);
    }), { numRuns: 12 }));

  it("by ACS does, in the channels of the view that is flat on the depth, what the 2D filter does on each slice", () =>
    fc.assert(fc.asyncProperty(odd, async (given) => {
      const net = convOf({ ...given, stride: 1 });
      const state = someWeights(net);
      const x = noise(1, given.perGroup * given.groups, 3, 5, 6);
      const deep = await run(convert(net, acs()).network, state, { x });
      const out = given.outPerGroup * given.groups;
      const axial = Math.ceil(out / 3);
      for (const d of [0, 1, 2]) {
        const [flat, slice] = [await run(net, state, { x: sliceAt(x, d) }), sliceAt(deep, d)];
        const first = (array: NdArray): NdArray => ndarray(Float64Array.from(numbers(array).slice(0, axial * 30)), [axial, 30]);
        expect(difference(first(slice), first(flat))).toBeLessThan(close);
      }
    }), { numRuns: 8 }));

  it("by soft ACS with all weight on one view is the 2.5D convolution of that view", () =>
    fc.assert(fc.asyncProperty(odd, fc.constantFrom(0 as const, 1 as const, 2 as const), async (given, axis) => {
      const net = convOf(given);
      const state = someWeights(net);
      const x = noise(1, given.perGroup * given.groups, 4, 5, 6);
      const soft = convert(net, softAcs());
      const core = ndarray(Float32Array.from({ length: 3 * given.outPerGroup * given.groups }, (_, i) => (i % 3 === axis ? 1000 : 0)), [given.outPerGroup * given.groups, 3]);
      const flat = convert(net, conv25d({ axis }));
      const [one, other] = [await run(soft.network, { ...soft.weights(state), "conv.soft_w_core": core }, { x }), await run(flat.network, flat.weights(state), { x })];
      expect(difference(one, other)).toBeLessThan(close);
    }), { numRuns: 10 }));

  it("by mean ACS is the mean of its three views", async () => {
    const net = single(2, 3, { kernel: 3, padding: 1, stride: 2 });
    const state = someWeights(net);
    const x = noise(1, 2, 4, 5, 6);
    const views = await Promise.all(([0, 1, 2] as const).map((axis) => {
      const flat = convert(net, conv25d({ axis }));
      return run(flat.network, flat.weights(state), { x });
    }));
    const mean = ndarray(Float64Array.from(numbers(views[0]), (_, i) => views.reduce((s, v) => s + Number(v.data[i]), 0) / 3), views[0].shape);
    expect(difference(await run(convert(net, softAcs({ mean: true })).network, state, { x }), mean)).toBeLessThan(close);
  });
});

describe("a network whose convolutions mix slices", () => {
  const net = unet({ width: 4 });
  const state = someWeights(net);
  const x = noise(1, 1, 8, 8, 4);
  const result = async (converter: Converter, more: Readonly<Record<string, NdArray>> = {}, change: (state: StateDict) => StateDict = (s) => s): Promise<NdArray> => {
    const { network: converted, weights } = convert(net, converter);
    return run(converted, change(weights(state)), { x, ...more });
  };
  const thickness = (mm: number) => ({ thickness: ndarray(Float32Array.of(mm), [1]) });

  it("is 2.5D where nothing is shifted: TSM without its shift or with a fold beyond the channels, and AlignShift in slices infinitely thick", async () => {
    const flat = await result(conv25d());
    expect(difference(await result(tsm({ shift: false })), flat)).toBeLessThan(close);
    expect(difference(await result(tsm({ nFold: 100 })), flat)).toBeLessThan(close);
    expect(difference(await result(alignShift(), thickness(Infinity)), flat)).toBeLessThan(close);
    expect(difference(await result(tsm({ skipFirst: false })), flat)).toBeGreaterThan(1e-3);
  });
  it("is TSM by AlignShift at the reference thickness and below, with zeros beyond the volume", async () => {
    const shifted = await result(tsm({ nFold: 4 }));
    for (const mm of [2.5, 1, 0.1]) expect(difference(await result(alignShift({ nFold: 4, refThickness: 2.5, paddingZero: true }), thickness(mm)), shifted)).toBeLessThan(close);
    expect(difference(await result(alignShift({ nFold: 4, refThickness: 2.5, paddingZero: true }), thickness(5)), shifted)).toBeGreaterThan(1e-3);
  });
  it("gives in between what its channels are mixed to: thinner slices are nearer to TSM", async () => {
    const shifted = await result(tsm({ nFold: 4 }));
    const away = await Promise.all([3, 6, 60].map(async (mm) => difference(await result(alignShift({ nFold: 4, paddingZero: true }), thickness(mm)), shifted)));
    expect(away[0]).toBeLessThan(away[2]);
  });
  it("is 2.5D with in-plane pools by A3D whose matrices are the identity, and TSM by those of a shift", async () => {
    const matrices = (of: (from: number, to: number, c: number, channels: number) => number) => (made: StateDict): StateDict =>
      Object.fromEntries(Object.entries(made).map(([name, array]) => {
        if (!name.endsWith("adaptive_align_weights")) return [name, array];
        const [, depth, channels] = array.shape;
        return [name, ndarray(Float32Array.from(numbers(array), (_, i) => of(Math.floor(i / (depth * channels)), Math.floor(i / channels) % depth, i % channels, channels)), array.shape)];
      }));
    const mixing = a3d({ dimension: 8 });
    expect(difference(await result(mixing, {}, matrices((from, to) => (from === to ? 1 : 0))), await result(conv25d({ pools })))).toBeLessThan(close);
    const shift = matrices((from, to, c, channels) => {
      const fold = Math.floor(channels / 4);
      return from === (c < fold ? to + 1 : c < 2 * fold ? to - 1 : to) ? 1 : 0;
    });
    expect(difference(await result(mixing, {}, shift), await result(tsm({ nFold: 4, pools })))).toBeLessThan(close);
  });
});

describe("weights", () => {
  const net = unet({ width: 4 });
  const state = someWeights(net);

  it("of I3D add up to those of the 2D network along the axis", () => {
    for (const axis of [0, 1, 2] as const) {
      const made = convert(net, i3d({ axis })).weights(state)["enc1.encode.3.weight"];
      const flat = state["enc1.encode.3.weight"];
      const sums = new Float64Array(flat.data.length);
      numbers(made).forEach((v, i) => {
        const at = [Math.floor(i / 27), Math.floor(i / 9) % 3, Math.floor(i / 3) % 3, i % 3];
        const [row, column] = at.slice(1).filter((_, a) => a !== axis);
        sums[at[0] * 9 + row * 3 + column] += v;
      });
      expect(difference(ndarray(sums, flat.shape), flat)).toBeLessThan(1e-6);
    }
  });
  it("of a part are the part of the weights", () => {
    const part = withOutputs(net, ["enc2"]);
    const [some, all] = [convert(part, i3d()).weights(state), convert(net, i3d()).weights(state)];
    expect(Object.keys(some).length).toBeLessThan(Object.keys(all).length);
    for (const name of Object.keys(some)) expect(some[name]).toEqual(all[name]);
  });
  it("made anew are the same for one seed, and differ for another", () => {
    const { weights } = convert(net, conv3d());
    const [one, same, other] = [weights(state, { seed: 3 }), weights(state, { seed: 3 }), weights(state, { seed: 4 })];
    expect(same).toEqual(one);
    expect(other["final.weight"]).not.toEqual(one["final.weight"]);
    expect(numbers(one["enc1.encode.1.weight"])).toEqual([1, 1, 1, 1]);
  });
  it("of another network are refused, by name and by shape", () => {
    const { weights } = convert(net, acs());
    const { "final.bias": _, ...rest } = state;
    expect(() => weights(rest)).toThrow(/the state dict has no final\.bias.*\[convert-weights\]/s);
    expect(() => weights({ ...state, "final.bias": noise(4) })).toThrow(/final\.bias has shape \[4\]; the 2D network has \[3\]/);
  });
});
