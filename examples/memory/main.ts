// A training step in as little memory as it is given: the planner chooses what the backward pass computes again.
import { compile, cost, IndexicalError, plannedBytes, sum, tensor, valueAndGrad, type Kernel3d, type Tensor, type Vector, type Volume } from "indexical";
import { batchMoments, batchNorm, conv3d, relu } from "indexical/lib";

const depth = 4;
const channels = 8;

type Inputs = { readonly x: Volume } & Readonly<Record<string, Tensor>>;

/** Convolution, batch norm, ReLU, again and again. */
const loss = ({ x, ...parameters }: Inputs) => {
  let y = x;
  for (let k = 0; k < depth; k++) {
    const z = conv3d(y, parameters[`w${k}`] as unknown as Kernel3d, { padding: 1 });
    y = relu(batchNorm(z, { ...batchMoments(z), weight: parameters[`s${k}`] as unknown as Vector, bias: parameters[`b${k}`] as unknown as Vector }));
  }
  return tensor(() => sum((n, c, d, h, v) => y(n, c, d, h, v) ** 2));
};

const layers = Array.from({ length: depth }, (_, k) => ({ [`w${k}`]: [channels, channels, 3, 3, 3], [`s${k}`]: [channels], [`b${k}`]: [channels] }));
const parameters: Readonly<Record<string, readonly number[]>> = Object.assign({}, ...layers);
const shapes = { x: [1, channels, 24, 24, 24], ...parameters };
const step = valueAndGrad(loss, Object.keys(parameters));

const inputs = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, Float32Array.from({ length: shape.reduce((n, k) => n * k, 1) }, (_, i) => Math.sin(i * 12.9898 + name.length))]));
const run = async (memoryBytes?: number): Promise<string> => {
  const program = await compile(step, shapes, { device: "wasm", memoryBytes });
  const results: Readonly<Record<string, { readonly data: ArrayLike<number> }>> = await program.run(inputs as never);
  program.dispose();
  return JSON.stringify(Object.entries(results).map(([name, { data }]) => [name, Array.from(data)]));
};

const free = plannedBytes(step, shapes);
const expected = await run();
const { multiplyAdds } = cost(step, shapes);
console.log("allowed   planned   multiply-adds   results");
for (const part of [1, 0.7, 0.5, 0.4, 0.1]) {
  const memoryBytes = Math.floor(part * free);
  try {
    const planned = plannedBytes(step, shapes, { memoryBytes });
    const more = cost(step, shapes, { memoryBytes }).multiplyAdds / multiplyAdds;
    const same = (await run(memoryBytes)) === expected;
    console.log(`${megabytes(memoryBytes)}   ${megabytes(planned)}   x ${more.toFixed(2)}          ${same ? "the same bits" : "others"}`);
  } catch (error) {
    if (!(error instanceof IndexicalError)) throw error;
    console.log(`${megabytes(memoryBytes)}   ${error.message}`);
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(2)} MB`;
}
