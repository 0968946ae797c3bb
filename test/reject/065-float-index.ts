// expect: index-not-integer
import { compile, tensor, type Vector } from "indexical";

const gather = ({ x, at }: { x: Vector; at: Vector }) => tensor((i) => x(at(i)));

await compile(gather, { x: [8], at: [3] }, { device: "reference" });
