/** Parts of two-stage detectors: anchors, box arithmetic, suppression, region features. */
export { baseAnchors, gridAnchors, type AnchorOptions } from "./anchors.js";
export { applyDeltas, boxIou, type Box, type DeltaOptions } from "./boxes.js";
export { nms } from "./nms.js";
export { roiAlign, type RoiAlignOptions } from "./roi-align.js";
