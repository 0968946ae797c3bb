// expect: view-axis
import { constant, flip } from "indexical";

export const y = flip(constant([1, 2, 3]), 1);
