// expect: form-rest
import { constant, tensor, type Tensor } from "indexical";

const x: Tensor = constant([1, 2, 3]);

export const y = tensor((...at) => x(...at) + 1);
