// expect: read-out-of-range
import { compile, tensor, type Vector } from "indexical";

await compile(({ x }: { x: Vector }) => tensor([10], (i) => 2 * x(i)), { x: [8] }, { device: "reference" });
