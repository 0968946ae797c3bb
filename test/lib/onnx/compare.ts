import { expect } from "vitest";
import { compile, type Tensor } from "../../../src/index.js";
import { toFloat32 } from "../../../src/lib/formats/index.js";
import type { OnnxModel } from "../../../src/lib/formats/onnx.js";
import { forward, parameterShapes, type Network, type StateDict } from "../../../src/lib/networks/index.js";
import { importOnnx } from "../../../src/lib/onnx/index.js";
import type { Numbers } from "./runtime.js";

export interface Results {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
}

/** What a network gives, output by output. */
export const runNetwork = async (net: Network, state: StateDict, inputs: Readonly<Record<string, Numbers>>, device = "wasm"): Promise<readonly Results[]> => {
  const shapes = parameterShapes(net);
  const program = (all: Record<string, Tensor>): Record<string, Tensor> => Object.fromEntries(forward(net, all, Object.fromEntries(net.inputs.map((name) => [name, all[name]]))).outputs.map((y, n) => [`y${n}`, y as Tensor]));
  const compiled = await compile(program, { ...shapes, ...Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape])) }, { device });
  const given = Object.fromEntries(Object.keys(shapes).map((name) => [name, { data: toFloat32(state[name]), shape: state[name].shape }]));
  const results = await compiled.run({ ...given, ...inputs });
  compiled.dispose();
  return net.outputs.map((_, n) => results[`y${n}`]);
};

/** What the model itself gives as a program. */
export const runModel = async (model: OnnxModel, inputs: Readonly<Record<string, Numbers>>, device = "wasm", outputs = model.graph.outputs.map(({ name }) => name)): Promise<readonly Results[]> => {
  const program = importOnnx(model, { shapes: Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape])), outputs });
  const compiled = await compile(program.program, program.shapes, { device });
  const results = await compiled.run({ ...program.weights, ...Object.fromEntries(program.inputs.map((name) => [name, inputs[name]])) });
  compiled.dispose();
  return outputs.map((name) => results[name]);
};

/** The model with the extents of space of its inputs left open. */
export const opened = (model: OnnxModel): OnnxModel => ({
  ...model,
  graph: { ...model.graph, inputs: model.graph.inputs.map((input) => ({ ...input, shape: input.shape?.map((extent, axis) => (axis === 1 ? extent : `axis${axis}`)) })) },
});

/** Same shapes, and no number further apart than `tolerance`, relative to the largest where that is above 1. */
export const expectAgreement = (ours: readonly Results[], theirs: readonly Results[], tolerance: number): void => {
  expect(ours.map(({ shape }) => shape)).toEqual(theirs.map(({ shape }) => shape));
  ours.forEach(({ data }, k) => {
    const other = theirs[k].data;
    let [worst, most] = [0, 1];
    for (let n = 0; n < data.length; n++) {
      worst = Math.max(worst, Number.isFinite(data[n]) ? Math.abs(data[n] - other[n]) : Infinity);
      most = Math.max(most, Math.abs(other[n]));
    }
    expect(worst / most).toBeLessThanOrEqual(tolerance);
  });
};
