// expect: input-missing
import { compile, tensor, type Vector } from "indexical";

const add = await compile(({ x, y }: { x: Vector; y: Vector }) => tensor((i) => x(i) + y(i)), { x: [3], y: [3] }, { device: "reference" });

// @ts-expect-error y is missing
await add.run({ x: [1, 2, 3] });
