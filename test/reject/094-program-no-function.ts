// expect: program-function
import { compile, constant } from "indexical";

// @ts-expect-error a program is a function
await compile({ y: constant([1, 2, 3]) }, {}, { device: "reference" });
