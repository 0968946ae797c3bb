// expect: view-shapes
import { concat, constant } from "indexical";

export const y = concat([constant([[1, 2]]), constant([[1], [2]])], 1);
