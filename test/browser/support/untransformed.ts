import { compile, tensor, type Vector } from "../../../src/index.js";

/** The plugin leaves this file alone: what is quoted here stays as it is. */
export const untransformed = (device: string): Promise<unknown> => compile(({ x }: { x: Vector }) => tensor((i) => x(i) + 1), { x: [4] }, { device });
