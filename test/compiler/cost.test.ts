import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cost, programCost } from "../../src/compiler/cost.js";
import { lower } from "../../src/compiler/lower.js";
import { runPasses } from "../../src/compiler/passes.js";
import { acsConv3d, conv25d, conv2d, conv3d, i3dConv3d, meanAcsConv3d, softAcsConv3d } from "../../src/lib/conv/index.js";
import { max, pad, sum, tensor, type Image, type Kernel2d, type Kernel3d, type Matrix, type Vector, type Volume } from "../../src/dsl/index.js";
import type { Program } from "../../src/compiler/ir.js";
import { programs } from "../support/programs.js";
import { tally } from "./count.js";

describe("counts", () => {
  const checkCounts = (program: Program, inputs: Readonly<Record<string, Float64Array>>): boolean => {
    const known = programCost(program);
    const made = tally(program, inputs);
    const { multiplyAdds, additions, flops } = known;
    if (known.exact) expect({ multiplyAdds, additions, flops }).toEqual({ ...made });
    else {
      expect(multiplyAdds).toBeGreaterThanOrEqual(made.multiplyAdds);
      expect(additions).toBeGreaterThanOrEqual(made.additions);
      expect(flops).toBeGreaterThanOrEqual(made.flops);
    }
    return known.exact;
  };
  it("are the trip counts of random programs, before and after the passes", () => {
    let exact = 0;
    fc.assert(
      fc.property(programs(), ({ traced, inputs }) => {
        const written = lower(traced);
        const work = programCost(written).flops;
        fc.pre(work < 30_000);
        if (checkCounts(written, inputs)) exact++;
        if (checkCounts(runPasses(traced), inputs)) exact++;
      }),
      { numRuns: 100 },
    );
    expect(exact).toBeGreaterThan(120);
  }, 60_000);
  it("of a matrix product: flops, bytes, parameters, peak", () => {
    const c = cost(({ x, w }: { x: Matrix; w: Matrix }) => tensor((i, j) => sum((k) => x(i, k) * w(k, j))), { x: [5, 7], w: [7, 3] });
    expect(c).toMatchObject({
      multiplyAdds: 105, additions: 0, flops: 210, bytesRead: 4 * (35 + 21), bytesWritten: 60, parameters: 21, peakBytes: 4 * (35 + 21 + 15), exact: true,
    });
    expect(c.stages).toHaveLength(1);
  });
  it("of strided and overlapping reads: only what is touched is read", () => {
    const c = cost(({ x }: { x: Vector }) => tensor([3], (i) => x(4 * i) + x(4 * i + 1)), { x: [12] });
    expect(c).toMatchObject({ bytesRead: 24, bytesWritten: 12, flops: 3 });
    const pool = cost(({ x }: { x: Vector }) => tensor([5], (i) => max([3], (k) => x(2 * i + k))), { x: [12] });
    expect(pool).toMatchObject({ bytesRead: 44, flops: 15, multiplyAdds: 0, additions: 0 });
  });
  it("of intermediates: the peak is what is alive together", () => {
    const c = cost(
      ({ x }: { x: Vector }) => {
        const a = tensor((i) => sum([9], (j) => Math.exp(x(i) * x(j))));
        const b = tensor((i) => sum([9], (j) => Math.exp(a(i) * a(j))));
        return tensor((i) => sum([9], (j) => Math.exp(b(i) * b(j))));
      },
      { x: [9] },
    );
    // The input throughout, and two of the three results at a time.
    expect(c.peakBytes).toBe(4 * 27);
    expect(c.stages).toHaveLength(3);
  });
  it("of a choice by data is an upper bound, and says so", () => {
    const c = cost(({ x }: { x: Vector }) => tensor((i) => (x(i) > 0 ? Math.exp(x(i)) : Math.sin(x(i)))), { x: [10] });
    expect(c).toMatchObject({ exact: false, flops: 30 });
  });
  it("parameters are the inputs that are no data", () => {
    const f = ({ x, w, y }: { x: Vector; w: Vector; y: Vector }) => tensor((i) => x(i) * w(i) + y(i));
    const shapes = { x: [4], w: [4], y: [4] };
    expect(cost(f, shapes).parameters).toBe(8);
    expect(cost(f, shapes, { data: ["x", "y"] }).parameters).toBe(4);
    expect(cost(({ image, w }: { image: Vector; w: Vector }) => tensor((i) => image(i) * w(i)), { image: [3], w: [3] }).parameters).toBe(3);
    expect(() => cost(f, shapes, { data: ["X"] })).toThrow(/the program has no input X.*\n.*Did you mean x\?/s);
  });
});

/** A convolution of a network: channels, kernel, stride, padding, extent of the input along each axis. */
interface Layer {
  readonly in: number;
  readonly out: number;
  readonly k: number;
  readonly s: number;
  readonly p: number;
  readonly n: number;
}

const layer = (cin: number, out: number, k: number, n: number, s = 1, p = (k - 1) / 2): Layer => ({ in: cin, out, k, s, p, n });

/** The convolutions of a ResNet of basic blocks on n^3 (or n^2) inputs of three channels, with its max-pool after the stem. */
const resnet = (blocks: readonly number[], n: number): Layer[] => {
  const layers = [layer(3, 64, 7, n, 2, 3)];
  let [channels, extent] = [64, n / 4];
  blocks.forEach((count, stage) => {
    const out = 64 * 2 ** stage;
    for (let b = 0; b < count; b++) {
      const s = stage > 0 && b === 0 ? 2 : 1;
      layers.push(layer(channels, out, 3, extent, s));
      if (s === 2) layers.push(layer(channels, out, 1, extent, 2));
      extent /= s;
      layers.push(layer(out, out, 3, extent));
      channels = out;
    }
  });
  return layers;
};

const vgg = (plan: readonly (number | "pool")[], n: number): Layer[] => {
  const layers: Layer[] = [];
  let channels = 3;
  for (const step of plan)
    if (step === "pool") n /= 2;
    else {
      layers.push(layer(channels, step, 3, n));
      channels = step;
    }
  return layers;
};

/** The U-Net of the proof of concept: its skip is taken after the pooling. */
const unet = (classes: number, n: number): Layer[] => [
  layer(1, 64, 3, n), layer(64, 64, 3, n), layer(64, 128, 3, n / 2), layer(128, 128, 3, n / 2), layer(192, 64, 3, n / 2), layer(64, 32, 3, n / 2), layer(32, classes, 1, n),
];

type Operator = (l: Layer) => { readonly multiplyAdds: number; readonly written: number };

const volume = (l: Layer): number[] => [1, l.in, l.n, l.n, l.n];
const flat = (l: Layer): number[] => [l.out, l.in, l.k, l.k];
const of = (c: ReturnType<typeof cost>) => ({ multiplyAdds: c.multiplyAdds, written: c.definition.multiplyAdds });
const volumes = (f: (x: Volume, w: Kernel2d, options: { stride: number; padding: number }) => Volume): Operator => (l) =>
  of(cost(({ x, w }: { x: Volume; w: Kernel2d }) => f(x, w, { stride: l.s, padding: l.p }), { x: volume(l), w: flat(l) }));

const operators = {
  "2d": (l) => of(cost(({ x, w }: { x: Image; w: Kernel2d }) => conv2d(x, w, { stride: l.s, padding: l.p }), { x: [1, l.in, l.n, l.n], w: flat(l) })),
  "3d": (l) => of(cost(({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w, { stride: l.s, padding: l.p }), { x: volume(l), w: [...flat(l), l.k] })),
  "2.5d": volumes((x, w, { stride, padding }) => conv25d(x, w, { stride, padding })),
  acs: volumes(acsConv3d),
  i3d: volumes(i3dConv3d),
  mean: volumes(meanAcsConv3d),
  soft: (l) =>
    of(cost(({ x, w, a }: { x: Volume; w: Kernel2d; a: Matrix }) => softAcsConv3d(x, w, a, { stride: l.s, padding: l.p }), { x: volume(l), w: flat(l), a: [l.out, 3] })),
} satisfies Record<string, Operator>;

const sumOver = (layers: readonly Layer[], operator: Operator): { multiplyAdds: number; written: number } => {
  const seen = new Map<string, ReturnType<Operator>>();
  let [multiplyAdds, written] = [0, 0];
  for (const l of layers) {
    const key = JSON.stringify(l);
    if (!seen.has(key)) seen.set(key, operator(l));
    multiplyAdds += seen.get(key)!.multiplyAdds;
    written += seen.get(key)!.written;
  }
  return { multiplyAdds, written };
};

const giga = (n: number): string => (n / 1e9).toFixed(4);

/** Published multiply-adds (thousands of millions); the classifier of ResNet has 512 x 1000 more than its convolutions. */
describe("the table of multiply-adds", () => {
  const fc18 = 512_000;
  const r18 = resnet([2, 2, 2, 2], 64);
  it("ResNet-18 in 2D on 224^2", () => {
    expect(giga(sumOver(resnet([2, 2, 2, 2], 224), operators["2d"]).multiplyAdds + fc18)).toBe("1.8141");
  });
  it("ResNet-18 on 3 x 64^3: ACS and 2.5D count as the 2D kernels", () => {
    expect(giga(sumOver(r18, operators.acs).multiplyAdds + fc18)).toBe("1.3825");
    expect(giga(sumOver(r18, operators["2.5d"]).multiplyAdds + fc18)).toBe("1.3825");
  });
  it("ResNet-18 on 3 x 64^3: dense 3D; I3D is written as that, and a third to a seventh of it is left", () => {
    expect(giga(sumOver(r18, operators["3d"]).multiplyAdds + fc18)).toBe("5.3650");
    const i3d = sumOver(r18, operators.i3d);
    expect(giga(i3d.written + fc18)).toBe("5.3650");
    expect(giga(i3d.multiplyAdds + fc18)).toBe("1.3825");
  });
  it("ResNet-18 on 3 x 64^3: soft ACS is three views, of which 1 x 1 x 1 kernels need one; mean ACS is written so, and one view is left", () => {
    const soft = sumOver(r18, operators.soft);
    expect(giga(soft.written + fc18)).toBe("4.1466");
    expect(giga(soft.multiplyAdds + fc18)).toBe("4.1319");
    const mean = sumOver(r18, operators.mean);
    expect(giga(mean.written + fc18)).toBe("4.1466");
    expect(giga(mean.multiplyAdds + fc18)).toBe("1.3825");
  });
  it("ResNet-34", () => {
    expect(giga(sumOver(resnet([3, 4, 6, 3], 224), operators["2d"]).multiplyAdds + fc18)).toBe("3.6638");
    expect(giga(sumOver(resnet([3, 4, 6, 3], 64), operators.acs).multiplyAdds + fc18)).toBe("2.3263");
  });
  it("VGG features on 32^3", () => {
    const [p, a, b] = ["pool" as const, 256, 512];
    expect(giga(sumOver(vgg([64, 64, p, 128, 128, p, a, a, a, p, b, b, b, p, b, b, b], 32), operators.acs).multiplyAdds)).toBe("3.3596");
    expect(giga(sumOver(vgg([64, p, 128, p, a, a, p, b, b, p, b, b], 32), operators.acs).multiplyAdds)).toBe("1.0758");
  });
  it("the U-Net of the proof of concept", () => {
    expect(giga(sumOver(unet(6, 48), operators.acs).multiplyAdds)).toBe("9.0031");
    expect(giga(sumOver(unet(6, 48), operators["3d"]).multiplyAdds)).toBe("26.9668");
    expect(giga(sumOver(unet(3, 64), operators.acs).multiplyAdds)).toBe("21.3155");
    expect(giga(sumOver(unet(3, 48), operators["2d"]).multiplyAdds)).toBe("0.2882");
  });
});

it("a padded input is never stored", () => {
  const c = cost(({ x, w }: { x: Image; w: Kernel2d }) => {
    const xp = pad(x, [0, 0, 1, 1]);
    return tensor((n, o, h, v) => sum((q, i, j) => xp(n, q, h + i, v + j) * w(o, q, i, j)));
  }, { x: [1, 3, 8, 8], w: [4, 3, 3, 3] });
  expect(c.peakBytes).toBe(4 * (192 + 108 + 256));
  expect(c.definition.peakBytes).toBe(4 * (192 + 108 + 300 + 256));
});
