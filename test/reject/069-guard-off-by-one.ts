// expect: read-out-of-range
import { compile, tensor, type Vector } from "indexical";

const shift = ({ x }: { x: Vector }) => tensor([8], (i) => (i >= 0 ? x(i - 1) : 0));

await compile(shift, { x: [8] }, { device: "reference" });
