// expect: input-type
import { compile, tensor, type Vector } from "indexical";

const double = await compile(({ x }: { x: Vector }) => tensor((i) => 2 * x(i)), { x: [3] }, { device: "reference" });

// @ts-expect-error text is no data
await double.run({ x: "123" });
