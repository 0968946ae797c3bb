// expect: program-output
import { compile, tensor, type Vector } from "indexical";

// @ts-expect-error the record is flat
await compile(({ x }: { x: Vector }) => ({ moments: { first: tensor((i) => x(i)) } }), { x: [3] }, { device: "reference" });
