// expect: read-not-proved
import { compile, tensor, type Vector } from "indexical";

const gather = ({ x, at }: { x: Vector; at: Vector }) => tensor((i) => x(Math.min(Math.floor(at(i)), 7)));

await compile(gather, { x: [8], at: [3] }, { device: "reference" });
