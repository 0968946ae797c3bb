// expect: program-output
import { compile, tensor, type Vector } from "indexical";

const forgotten = ({ x }: { x: Vector }) => {
  tensor((i) => 2 * x(i));
};

// @ts-expect-error nothing is returned
await compile(forgotten, { x: [3] }, { device: "reference" });
