// expect: input-unknown
import { compile, tensor, type Vector } from "indexical";

const double = await compile(({ image }: { image: Vector }) => tensor((i) => 2 * image(i)), { image: [3] }, { device: "reference" });

// @ts-expect-error the input is called image
await double.run({ imgae: [1, 2, 3] });
