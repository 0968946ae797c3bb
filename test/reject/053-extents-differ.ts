// expect: range-conflict
import { compile, sum, tensor, type Matrix, type Vector } from "indexical";

const apply = ({ w, x }: { w: Matrix; x: Vector }) => tensor((o) => sum((c) => w(o, c) * x(c)));

await compile(apply, { w: [4, 8], x: [6] }, { device: "reference" });
