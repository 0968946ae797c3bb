/** Synthetic data of known truth. */
export { drawnShapes, drawnSolids, generateShapes, generateVoxels, SHAPES, SOLIDS, type Sample, type ShapeDraw, type SolidDraw } from "./solids.js";
