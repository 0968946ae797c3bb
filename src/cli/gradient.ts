import { gradientProgram } from "../compiler/grad/index.js";
import { trace, type ProgramFunction, type Shapes } from "../compiler/trace.js";
import { misused } from "./usage.js";

export interface GradientArguments {
  readonly grad?: boolean;
  readonly wrt?: readonly string[];
}

/** The program itself or, with `--grad`, its gradient: of the sum of output times `g`, by every input or by those of `--wrt`, as `grad.<input>`. */
export const differentiated = (program: ProgramFunction, { grad = false, wrt }: GradientArguments): ProgramFunction => {
  if (!grad && wrt !== undefined) misused("cli-argument", "--wrt without --grad", "Write --grad --wrt x.");
  return grad ? gradientProgram(program, wrt?.flatMap((names) => names.split(","))) : program;
};

/** The shapes that were given and, with `--grad`, those of `g` where they were not: it has the shape of the output. */
export const withSeeds = (program: ProgramFunction, shapes: Shapes, { grad = false }: GradientArguments): Shapes => {
  if (!grad) return shapes;
  const own = Object.fromEntries(Object.entries(shapes).filter(([name]) => name !== "g" && !name.startsWith("g.")));
  const { outputs, single } = trace(program, own);
  return { ...own, ...Object.fromEntries(outputs.map(({ name, node }) => [single ? "g" : `g.${name}`, node.shape])), ...shapes };
};
