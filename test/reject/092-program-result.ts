// expect: program-output
import { compile, type Vector } from "indexical";

// @ts-expect-error text is no tensor
await compile(({ x }: { x: Vector }) => ({ shape: x.shape.join() }), { x: [3] }, { device: "reference" });
