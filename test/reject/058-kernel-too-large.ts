// expect: range-negative
import { compile, sum, tensor, type Vector } from "indexical";

const conv = ({ x, w }: { x: Vector; w: Vector }) => tensor((i) => sum((k) => x(i + 2 * k) * w(k)));

await compile(conv, { x: [5], w: [4] }, { device: "reference" });
