import type { Variable } from "../../../dsl/index.js";

/** A stretch of kernel text under construction: the function's body, the body of a loop, or a branch. */
export class Block {
  readonly lines: string[] = [];
  /** What the body of a loop does last: moves the pointers that follow its index. */
  readonly moves: string[] = [];
  readonly depth: number;
  private readonly known = new Map<string, string>();

  constructor(
    readonly kind: "root" | "loop" | "branch",
    readonly parent?: Block,
    /** The index of a loop. */
    readonly index?: Variable,
  ) {
    this.depth = parent ? parent.depth + 1 : 0;
  }

  /** The name that holds the value called `key`, here or further out. */
  find(key: string): string | undefined {
    return this.known.get(key) ?? this.parent?.find(key);
  }

  remember(key: string, name: string): void {
    this.known.set(key, name);
  }

  /** Adds a finished inner block: `header {` ... `}`. */
  close(header: string, inner: Block): void {
    this.lines.push(`${header} {`, ...[...inner.lines, ...inner.moves].map((l) => `  ${l}`), "}");
  }
}
