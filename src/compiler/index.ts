export { compile, type Compiled, type CompileOptions, type InputValue, type Results } from "./compile.js";
export type { ProgramFunction, ProgramOutput, Shapes } from "./trace.js";
