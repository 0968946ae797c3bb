// expect: input-shape
import { compile, tensor, type Matrix } from "indexical";

const double = await compile(({ x }: { x: Matrix }) => tensor((i, j) => 2 * x(i, j)), { x: [2, 3] }, { device: "reference" });

await double.run({ x: { data: [1, 2, 3, 4, 5, 6], shape: [3, 2] } });
