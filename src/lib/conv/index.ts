export { a3dConv3d, a3dMix, type A3dOptions, type SliceMixing } from "./a3d.js";
export {
  acsConv3d, acsKernel, acsSplit, meanAcsConv3d, softAcsAlpha, softAcsConv3d,
  type AcsOptions, type AcsSplit, type AcsViewOptions, type FlatSlice,
} from "./acs.js";
export type { PerAxis } from "../arguments.js";
export type { ConvOptions, Padding } from "./geometry.js";
export { autofocusAttention, autofocusConv3d, type AutofocusAttention, type AutofocusOptions } from "./autofocus.js";
export { conv2d, conv3d } from "./conv.js";
export { conv25d, i3dConv3d, type Conv25dOptions, type I3dOptions } from "./flat.js";
export type { InPlane, InPlaneOptions } from "./in-plane.js";
export { inflate, unsqueeze, type SpatialAxis } from "./kernels.js";
export { p3dSpatialConv3d, p3dTemporalConv3d, p3dTypes, p3dUnit, type P3dType } from "./p3d.js";
export {
  alignShift, alignShiftConv3d, tsmConv3d, tsmShift,
  type AlignShiftMixOptions, type AlignShiftOptions, type ShiftOptions, type TsmOptions,
} from "./shift.js";
export { convTranspose2d, convTranspose3d, type ConvTransposeOptions } from "./transposed.js";
