import type { Node } from "../networks/graph.js";
import type { Layer } from "../networks/layer.js";

/** How far apart neighbours of a value lie in the input: along the height of the image, and along the depth of the volume. */
interface Steps {
  readonly plane: number;
  readonly depth: number;
}

/**
 * Follows how the layers of a converted network thin out the plane and the depth, so that what is made larger in the plane
 * again is made larger in depth by what it lost there: nothing, where convolutions did not stride it.
 */
export interface DepthSteps {
  record(before: Node, after: Layer): void;
  /** The scale along the depth of an upsampling by `scale` in the plane. */
  scaleOf(node: Node, scale: readonly number[]): number;
}

export const depthSteps = (inputs: readonly string[]): DepthSteps => {
  const values = new Map<string, Steps>(inputs.map((name) => [name, { plane: 1, depth: 1 }]));
  // What a value of the same resolution had along the depth, on the way down.
  const levels = new Map<number, number>([[1, 1]]);
  const scaleOf = (node: Node, scale: readonly number[]): number => {
    const { plane, depth } = values.get(node.from[0])!;
    const before = levels.get(plane / scale[0]);
    return before === undefined ? scale[0] : Math.max(1, depth / before);
  };
  return {
    scaleOf,
    record: ({ name, from, layer }, after) => {
      const x = values.get(from[0])!;
      const times = factors(layer, after);
      const steps = { plane: x.plane * times.plane, depth: x.depth * times.depth };
      values.set(name, layer.kind === "upsample" && layer.scale === "second input" ? values.get(from[1])! : steps);
      if (times.plane > 1) levels.set(steps.plane, steps.depth);
    },
  };
};

const factors = (before: Layer, after: Layer): Steps => {
  if (after.kind === "variant") {
    const { stride } = after.variant.taps(after.of);
    return after.of.kind === "conv" ? { plane: stride[1], depth: stride[0] } : { plane: 1 / stride[1], depth: 1 / stride[0] };
  }
  if (after.kind === "pool" && before.kind === "pool" && before.kernel.length === 2) return { plane: after.stride[1], depth: after.stride[0] };
  if (after.kind === "upsample" && after.scale !== "second input" && before.kind === "upsample") return { plane: 1 / after.scale[1], depth: 1 / after.scale[0] };
  return { plane: 1, depth: 1 };
};
