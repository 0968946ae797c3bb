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

/** Hands out names that are unique within a kernel and legal in every language that gpu.js writes. */
export class Names {
  private readonly taken = new Set<string>();

  fresh(wish: string): string {
    const base = wish.replace(/[^A-Za-z0-9]/g, "").replace(/^[0-9]+/, "") || "v";
    let name = base;
    for (let n = 1; this.taken.has(name) || reserved.has(name); n++) name = `${base}${/[0-9]$/.test(base) ? "n" : ""}${n}`;
    this.taken.add(name);
    return name;
  }
}

/** Words that mean something in a kernel, whichever language it becomes. */
const reserved = new Set(
  ("this Math Infinity NaN undefined const let var for if else return function break continue switch case default while do new in of with yield await async class " +
    "enum export extends import super static void typeof delete instanceof try catch finally throw null true false package private protected public interface implements " +
    "arguments eval index result params gid threadGid constants").split(" "),
);
