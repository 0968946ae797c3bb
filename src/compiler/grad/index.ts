export { grad, gradientProgram, valueAndGrad, vjp, type Gradients, type GradOptions, type NamedGradients } from "./grad.js";
export { checkpoint } from "./checkpoint.js";
