/** What training needs. */
export { adam, rmsprop, sgd, type AdamOptions, type Optimizer, type RmspropOptions, type SgdOptions, type StepInputs } from "./optimizers.js";
export { cosine, multiStep, polynomial, warmUp, type Schedule } from "./schedules.js";
