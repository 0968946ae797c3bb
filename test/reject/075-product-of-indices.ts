// expect: read-out-of-range
import { compile, tensor, type Vector } from "indexical";

await compile(({ x }: { x: Vector }) => tensor([4, 4], (i, j) => x(i * j)), { x: [9] }, { device: "reference" });
