// expect: broadcast-shape
import { broadcast, constant } from "indexical";

export const y = broadcast(constant([1, 2, 3]), [3, 4]);
