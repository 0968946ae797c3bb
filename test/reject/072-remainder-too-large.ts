// expect: read-out-of-range
import { compile, tensor, type Vector } from "indexical";

await compile(({ x }: { x: Vector }) => tensor([20], (i) => x(i % 9)), { x: [8] }, { device: "reference" });
