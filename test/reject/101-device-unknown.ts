// expect: device-unknown
import { compile, tensor, type Vector } from "indexical";

await compile(({ x }: { x: Vector }) => tensor((i) => 2 * x(i)), { x: [3] }, { device: "referense" });
