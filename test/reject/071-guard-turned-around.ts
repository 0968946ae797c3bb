// expect: read-out-of-range
import { compile, tensor, type Vector } from "indexical";

const shift = ({ x }: { x: Vector }) => tensor([9], (i) => (i < 8 ? 0 : x(i)));

await compile(shift, { x: [8] }, { device: "reference" });
