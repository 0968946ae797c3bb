// expect: read-out-of-range
import { compile, tensor, type Matrix } from "indexical";

const skew = ({ x }: { x: Matrix }) => tensor([4, 4], (i, j) => (i > 0 ? x(i, j - 1) : 0));

await compile(skew, { x: [4, 4] }, { device: "reference" });
