// expect: read-out-of-range
import { compile, sum, tensor, type Vector } from "indexical";

const same = ({ x, w }: { x: Vector; w: Vector }) => tensor([x.shape[0]], (i) => sum((k) => x(i + k - 1) * w(k)));

await compile(same, { x: [8], w: [3] }, { device: "reference" });
