// expect: read-rank
import { compile, tensor, type Matrix } from "indexical";

// @ts-expect-error a matrix has two indices
await compile(({ x }: { x: Matrix }) => tensor((i) => x(i)), { x: [3, 4] }, { device: "reference" });
