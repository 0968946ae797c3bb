// expect: constant-type
import { constant } from "indexical";

// @ts-expect-error numbers only
export const x = constant(["1", "2"]);
