import { describe, expect, it } from "vitest";
import { compile, IndexicalError, plannedBytes, sum, tensor, valueAndGrad, type Kernel3d, type Tensor, type Vector, type Volume } from "../../src/index.js";
import { interpret } from "../support/interpret.js";
import { lowbias32, sizeOf } from "../../src/dsl/index.js";
import { runPasses } from "../../src/compiler/passes.js";
import { trace } from "../../src/compiler/trace.js";
import { verify } from "../../src/compiler/verify.js";
import { conv3d } from "../../src/lib/conv/index.js";
import { batchMoments, batchNorm, relu } from "../../src/lib/layers/index.js";

type Inputs = { readonly x: Volume } & Readonly<Record<string, Tensor>>;

const depth = 3;
/** Convolution, batch norm and ReLU, three times. */
const loss = ({ x, ...parameters }: Inputs) => {
  let y = x;
  for (let k = 0; k < depth; k++) {
    const z = conv3d(y, parameters[`w${k}`] as unknown as Kernel3d, { padding: 1 });
    y = relu(batchNorm(z, { ...batchMoments(z), weight: parameters[`s${k}`] as unknown as Vector, bias: parameters[`b${k}`] as unknown as Vector }));
  }
  return tensor(() => sum((n, c, d, h, v) => y(n, c, d, h, v) ** 2));
};

const parameters: Record<string, readonly number[]> = {};
for (let k = 0; k < depth; k++) Object.assign(parameters, { [`w${k}`]: [4, 4, 3, 3, 3], [`s${k}`]: [4], [`b${k}`]: [4] });
const shapes = { x: [1, 4, 6, 7, 8], ...parameters };
const step = valueAndGrad(loss, Object.keys(parameters));
const inputs = Object.fromEntries(Object.entries(shapes).map(([name, shape], i) => [name, Float32Array.from({ length: sizeOf(shape) }, (_, k) => lowbias32(k * 31 + i) / 2 ** 31 - 1)]));

const run = async (memoryBytes?: number) => {
  const program = await compile(step, shapes, { device: "wasm", memoryBytes });
  const results = (await program.run(inputs as never)) as unknown as Readonly<Record<string, { readonly data: Float32Array }>>;
  program.dispose();
  return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, Array.from(data)]));
};

const refusal = (act: () => unknown): IndexicalError => {
  try {
    act();
  } catch (error) {
    if (error instanceof IndexicalError) return error;
    throw error;
  }
  throw new Error("it was not refused");
};

describe("a training step under a budget of bytes", () => {
  const free = plannedBytes(step, shapes);
  const least = Number(/at least (\d+) with/.exec(refusal(() => plannedBytes(step, shapes, { memoryBytes: 1 })).message)?.[1]);

  it("holds less the less it may, and gives the same bits", { timeout: 120_000 }, async () => {
    const expected = await run();
    expect(least).toBeLessThan(0.6 * free);
    let before = free;
    for (const part of [1, 0.75, 0.5, 0.25, 0]) {
      const memoryBytes = Math.ceil(least + part * (free - least));
      const planned = plannedBytes(step, shapes, { memoryBytes });
      expect(planned).toBeLessThanOrEqual(Math.min(memoryBytes, before));
      expect(await run(memoryBytes)).toEqual(expected);
      before = planned;
    }
    expect(before).toBe(least);
  });

  it("is the program as it was where it fits", () => {
    const names = (memoryBytes?: number): readonly string[] => runPasses({ ...trace(step as never, shapes), memoryBytes }).stages.map((s) => s.name);
    expect(names(free)).toEqual(names());
    expect(names(least).length).toBeGreaterThan(names().length);
    expect(names(least)).toEqual(names(least));
  });

  it("is well formed, and means the same to the interpreter", () => {
    const traced = trace(step as never, shapes);
    const under = runPasses({ ...traced, memoryBytes: least });
    verify(under, "recompute");
    expect(interpret(under, inputs)).toEqual(interpret(runPasses(traced), inputs));
  });

  it("is refused when it can't fit, with what is held", () => {
    const { code, message } = refusal(() => plannedBytes(step, shapes, { memoryBytes: least - 1 }));
    expect(code).toBe("memory-budget");
    expect(message).toContain(`may hold ${least - 1} bytes, and takes ${least} at the least (${free} when nothing is computed again)`);
    expect(refusal(() => plannedBytes(step, shapes, { memoryBytes: NaN })).code).toBe("memory-budget");
    expect(message).toMatch(/\[1, 4, 6, 7, 8\] of \d+ bytes/);
  });
});

it("what is no gradient has the same bound", async () => {
  // A large tensor that is wanted at the start and at the end, with a larger one between.
  const f = ({ x }: { x: Vector }) => {
    const early = tensor([4096], (i) => Math.exp(Math.sin(x(0) * i)));
    const total = tensor(() => sum((i) => early(i)));
    const wide = tensor([8192], (i) => Math.exp(Math.cos(total() * i)));
    const most = tensor([8192], (i) => Math.exp(wide(8191 - i) - wide((i * 7) % 8192)));
    const all = tensor(() => sum((i) => most(i)));
    return { y: tensor(() => sum((i) => early(i) * Math.exp(early(4095 - i) * all()))) };
  };
  const free = plannedBytes(f, { x: [1] });
  // All of the early one but the lines that it may share with others.
  const bound = free - 4 * 4096 + 128;
  expect(plannedBytes(f, { x: [1] }, { memoryBytes: bound })).toBeLessThanOrEqual(bound);
  const [plain, under] = await Promise.all([undefined, bound].map(async (memoryBytes) => (await compile(f, { x: [1] }, { device: "wasm", memoryBytes })).run({ x: [0.3] })));
  expect(under).toEqual(plain);
});
