import { IndexicalError } from "../../dsl/errors.js";

/** Throws an error of this folder. Codes start with `volume-`. */
export const refuse = (code: `volume-${string}`, message: string, remedy?: string): never => {
  throw new IndexicalError(code, message, remedy === undefined ? {} : { remedy });
};
