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
