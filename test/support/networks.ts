import type { Program, Source, Stage, Value } from "../../src/compiler/ir.js";
import { add, indexOf, scale, shift } from "../../src/dsl/affine.js";
import { variable } from "../../src/dsl/variable.js";
import { ir } from "./interpret.js";

export interface ConvOptions {
  readonly stride?: number;
  readonly dilation?: number;
  readonly padding?: number;
  readonly bias?: Source;
  readonly relu?: boolean;
}

/** A 3D convolution as one stage: x is [n, c, d, h, w], w is [o, c, i, j, k]; outside x there is 0. */
export const convStage = (name: string, x: Source, w: Source, { stride = 1, dilation = 1, padding = 1, bias, relu }: ConvOptions = {}): Stage => {
  const [n0, c0, ...space] = x.shape as [number, number, ...number[]];
  const kernel = w.shape.slice(2);
  const out = space.map((e, a) => Math.floor((e + 2 * padding - dilation * (kernel[a]! - 1) - 1) / stride) + 1);
  const [n, o, c] = [variable("n", n0), variable("o", w.shape[0]!), variable("c", c0)];
  const at = out.map((e, a) => variable("dhw"[a]!, e));
  const taps = kernel.map((e, a) => variable("ijk"[a]!, e));
  const place = at.map((v, a) => shift(add(scale(indexOf(v), stride), scale(indexOf(taps[a]!), dilation)), -padding));
  const term = ir.mul(ir.read(x, [indexOf(n), indexOf(c), ...place], padding > 0 ? 0 : undefined), ir.read(w, [indexOf(o), indexOf(c), ...taps.map(indexOf)]));
  let value: Value = ir.reduce("sum", [c, ...taps], term);
  if (bias) value = ir.add(value, ir.read(bias, [indexOf(o)]));
  if (relu) value = ir.binary("max", value, ir.constant(0));
  return ir.stage(name, [n, o, ...at], value);
};

/** A chain of dilated convolutions with ReLU between, as MeshNet has it. */
export const meshNet = (side: number, channels: number, classes: number, dilations: readonly number[]): Program => {
  const x = ir.input("x", [1, 1, side, side, side]);
  const stages: Stage[] = [];
  const inputs = [x];
  let last: Source = x;
  dilations.forEach((dilation, k) => {
    const w = ir.input(`w${k}`, [channels, last.shape[1]!, 3, 3, 3]);
    const bias = ir.input(`b${k}`, [channels]);
    inputs.push(w, bias);
    const stage: Stage = convStage(`layer${k}`, last, w, { dilation, padding: dilation, bias, relu: true });
    stages.push(stage);
    last = stage;
  });
  const w = ir.input("head", [classes, channels, 1, 1, 1]);
  inputs.push(w);
  stages.push(convStage("head", last, w, { padding: 0 }));
  return ir.program(stages, inputs);
};
