import { IndexicalError } from "../../../src/dsl/errors.js";

/** The code that a call is refused with. Any other error passes through and fails the test. */
export const refusal = (call: () => unknown): string => {
  try {
    call();
  } catch (error) {
    if (error instanceof IndexicalError) return error.code;
    throw error;
  }
  return "accepted";
};
