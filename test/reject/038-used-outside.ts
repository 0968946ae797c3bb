// expect: quote-not-lifted
import { compile, sum, type Vector } from "indexical";

await compile(({ x }: { x: Vector }) => Math.sqrt(sum((i) => x(i) ** 2)), { x: [3] }, { device: "reference" });
