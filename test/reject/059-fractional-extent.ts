// expect: shape-extent
import { tensor } from "indexical";

const size = 5;

export const half = tensor([size / 2], (i) => i);
