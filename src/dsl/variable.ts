import type { Span } from "./errors.js";

/** An index: an integer from 0 up to, and excluding, its extent. */
export interface Variable {
  readonly id: number;
  readonly name: string;
  readonly span: Span | undefined;
  /** Unknown until the ranges of the definition that binds it are inferred; set once. */
  extent: number | undefined;
}

let next = 0;

export const variable = (name: string, extent?: number, span?: Span): Variable => ({ id: next++, name, extent, span });

/** The extent of a variable whose range is known. */
export const extentOf = (v: Variable): number => {
  if (v.extent === undefined) throw new Error(`the range of index ${v.name} is not known yet`);
  return v.extent;
};
