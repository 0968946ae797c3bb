// expect: shape-extent
import { compile, tensor, type Vector } from "indexical";

await compile(({ x }: { x: Vector }) => tensor((i) => 2 * x(i)), { x: [2.5] }, { device: "reference" });
