// expect: input-size
import { compile, tensor, type Vector } from "indexical";

const double = await compile(({ x }: { x: Vector }) => tensor((i) => 2 * x(i)), { x: [3] }, { device: "reference" });

await double.run({ x: [1, 2, 3, 4] });
