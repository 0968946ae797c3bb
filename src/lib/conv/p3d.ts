import type { Kernel3d, Volume } from "../../dsl/index.js";
import { refuse, type PerAxis } from "../arguments.js";
import { add } from "../layers/activation.js";
import { conv3d } from "./conv.js";

/** How a P3D unit puts its spatial and its temporal part together. */
export type P3dType = "A" | "B" | "C";

/** The block types in the order of the published networks: block number n has type `p3dTypes[n % 3]`. */
export const p3dTypes: readonly P3dType[] = ["A", "B", "C"];

/** S: 1 x 3 x 3 convolution, `w` [O, C, 1, 3, 3], padded in the plane. Qiu, Yao and Mei, "Learning Spatio-Temporal Representation with Pseudo-3D Residual Networks", ICCV 2017. */
export const p3dSpatialConv3d = (x: Volume, w: Kernel3d, stride: PerAxis = 1): Volume => conv3d(x, w, { stride, padding: [0, 1, 1] });

/** T: 3 x 1 x 1 convolution, `w` [O, C, 3, 1, 1], padded along the depth. */
export const p3dTemporalConv3d = (x: Volume, w: Kernel3d, stride: PerAxis = 1): Volume => conv3d(x, w, { stride, padding: [1, 0, 0] });

/**
 * A P3D unit of a spatial part S and a temporal part T (each with norm and activation inside): A is T(S(x)), B is S(x) + T(x), C is S(x) + T(S(x)).
 * @throws p3d-type.
 */
export const p3dUnit = (type: P3dType, spatial: (x: Volume) => Volume, temporal: (x: Volume) => Volume, x: Volume): Volume => {
  const s = spatial(x);
  switch (type) {
    case "A":
      return temporal(s);
    case "B":
      return add(s, temporal(x));
    case "C":
      return add(s, temporal(s));
    default:
      return refuse("p3d-type", `there is no P3D type ${String(type)}`, "Types are A, B, C.");
  }
};
