// expect: reduce-empty
import { compile, max, tensor, type Matrix } from "indexical";

const best = ({ x }: { x: Matrix }) => tensor((i) => max((j) => x(i, j)));

await compile(best, { x: [3, 0] }, { device: "reference" });
