// expect: element-of-input
import { compile, tensor, type Vector } from "indexical";

const normalise = ({ x }: { x: Vector }) => {
  const first = x(0);
  return tensor((i) => x(i) / first);
};

await compile(normalise, { x: [3] }, { device: "reference" });
