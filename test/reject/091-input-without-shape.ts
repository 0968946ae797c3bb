// expect: program-input
import { compile, tensor, type Vector } from "indexical";

// @ts-expect-error the shape of weight is called w
await compile(({ x, weight }: { x: Vector; weight: Vector }) => tensor((i) => x(i) * weight(i)), { x: [3], weights: [3] }, { device: "reference" });
