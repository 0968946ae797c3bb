import { elementCount, ndarray, type NdArray } from "../formats/ndarray.js";
import { createRandom } from "../random/index.js";
import { tensorSeed } from "../weights/recipe.js";
import type { Network } from "./graph.js";
import type { Parameter } from "./layer.js";
import { parameters } from "./parameters.js";

/** Parameters and buffers by their names, as a file of weights holds them. */
export type StateDict = Readonly<Record<string, NdArray>>;

/** One parameter as it starts. Which numbers follows from the seed and its name alone: a network with a further layer starts the same elsewhere. */
export const initialParameter = (name: string, { shape, init }: Parameter, seed: number): NdArray => {
  const random = createRandom(tensorSeed(name, seed));
  const data = new Float32Array(elementCount(shape));
  switch (init.kind) {
    case "constant": return ndarray(data.fill(init.value), shape);
    case "uniform": return ndarray(data.map(() => init.low + (init.high - init.low) * random.uniform()), shape);
    case "normal": return ndarray(data.map(() => init.deviation * random.normal()), shape);
    case "nearIdentity": {
      const [, depth, channels] = shape;
      return ndarray(data.map((_, i) => (Math.floor(i / (depth * channels)) === Math.floor(i / channels) % depth ? 1 : 0) + init.noise * (2 * random.uniform() - 1)), shape);
    }
  }
};

/** All parameters and buffers of a network as they start. @param seed a whole number: the same seed, the same numbers. */
export const initialise = (net: Network, seed: number): StateDict =>
  Object.fromEntries(Object.entries(parameters(net)).map(([name, parameter]) => [name, initialParameter(name, parameter, seed)]));
