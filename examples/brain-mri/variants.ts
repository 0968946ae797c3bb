import { compile, cost, type Kernel2d, type Kernel3d, type Volume } from "indexical";
import { acsConv3d, conv25d, conv3d, i3dConv3d } from "indexical/lib";

/** One layer as four convolutions: the dense one, and three that reuse a 2D kernel. */
const variants = {
  dense: ({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w, { padding: 1 }),
  "2.5D": ({ x, w }: { x: Volume; w: Kernel2d }) => conv25d(x, w, { padding: 1 }),
  ACS: ({ x, w }: { x: Volume; w: Kernel2d }) => acsConv3d(x, w, { padding: 1 }),
  I3D: ({ x, w }: { x: Volume; w: Kernel2d }) => i3dConv3d(x, w, { padding: 1 }),
};

export interface VariantRow {
  readonly name: string;
  readonly parameters: number;
  /** Of the whole layer, borders included. */
  readonly multiplyAdds: number;
  /** Additions beside them: I3D adds slices before it multiplies. */
  readonly additions: number;
  /** Median of five runs after a warm-up. */
  readonly ms: number;
}

const median = (times: readonly number[]): number => [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)];

/** Costs and times of a 3 x 3 (x 3) layer on a cube. The variants take turns, so that a busy moment of the machine hits them all. @param done called after each round */
export const compareVariants = async (inChannels: number, outChannels: number, extent: number, device: string, done: () => void): Promise<VariantRow[]> => {
  const x = Float32Array.from({ length: inChannels * extent ** 3 }, (_, n) => ((n * 37) % 101) / 101);
  const prepared = Object.entries(variants).map(async ([name, f]) => {
    const shape = [outChannels, inChannels, ...(name === "dense" ? [3, 3, 3] : [3, 3])];
    const w = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, n) => ((n * 29) % 53) / 53 - 0.5);
    const layer = f as (inputs: { x: Volume; w: Kernel3d }) => Volume;
    const shapes = { x: [1, inChannels, extent, extent, extent], w: shape };
    const program = await compile(layer, shapes, { device });
    return { name, w, program, cost: cost(layer, shapes), times: [] as number[] };
  });
  const layers = await Promise.all(prepared);
  for (let round = 0; round < 6; round++) {
    for (const { program, w, times } of layers) {
      const start = performance.now();
      await program.run({ x, w });
      // The first round warms up.
      if (round > 0) times.push(performance.now() - start);
    }
    done();
  }
  return layers.map(({ name, w, program, cost: { multiplyAdds, additions }, times }) => {
    program.dispose();
    return { name, parameters: w.length, multiplyAdds, additions, ms: median(times) };
  });
};
