import type { Operator } from "../call.js";
import { convolution } from "./convolution.js";
import { elementwise } from "./elementwise.js";
import { linear } from "./linear.js";
import { move } from "./move.js";
import { normalise } from "./normalise.js";
import { pool } from "./pool.js";
import { reduce } from "./reduce.js";
import { resampling } from "./resize.js";

/** Every standard operator that is read, by its name. */
export const operators: ReadonlyMap<string, Operator> = new Map(Object.entries({ ...elementwise, ...convolution, ...pool, ...linear, ...normalise, ...reduce, ...move, ...resampling }));
