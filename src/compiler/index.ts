export { compile, type Compiled, type CompileOptions, type InputValue, type OnDevice, type ResidentResults, type Results } from "./compile.js";
export type { ProgramFunction, ProgramOutput, Shapes } from "./trace.js";
export { cost, type Arithmetic, type Cost, type CostOptions, type ProgramCost, type StageCost } from "./cost.js";
export { equivalent, type Equivalence, type EquivalentOptions } from "./equivalent.js";
export type { Counterexample } from "./counterexample.js";
export { explain, Explanation, type DefinitionRanges, type ExplainedPiece, type ExplainOptions, type IndexRange } from "./explain.js";
export type { PieceStructure } from "./structure.js";
export type { KernelSource } from "./devices.js";
