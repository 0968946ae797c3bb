import { readdirSync, readFileSync } from "node:fs";

/**
 * Pools of threads spin after their work, pages collect garbage when they like: whoever is not having a turn is stopped, with all
 * that it started. Where there is no /proc nobody is.
 */
const resting = new Set<number>();

const children = (): ReadonlyMap<number, readonly number[]> => {
  const found = new Map<number, number[]>();
  let ids: number[] = [];
  try {
    ids = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number);
  } catch {
    return found;
  }
  for (const id of ids) {
    try {
      // "id (name) state parent ...", where the name may hold anything.
      const stat = readFileSync(`/proc/${id}/stat`, "utf8");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      found.set(parent, [...(found.get(parent) ?? []), id]);
    } catch {
      // It has ended.
    }
  }
  return found;
};

const family = (id: number, of = children()): readonly number[] => [id, ...(of.get(id) ?? []).flatMap((child) => family(child, of))];

const signal = (id: number, name: "SIGSTOP" | "SIGCONT"): void => {
  for (const member of family(id)) {
    try {
      process.kill(member, name);
    } catch {
      // It has ended.
    }
  }
};

export const rest = (id: number): void => {
  if (process.platform !== "linux") return;
  resting.add(id);
  signal(id, "SIGSTOP");
};

export const wake = (id: number): void => {
  if (resting.delete(id)) signal(id, "SIGCONT");
};

// Whoever is left asleep would stay so: awake, it sees that nobody asks any more, and ends.
process.on("exit", () => resting.forEach(wake));
for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => process.exit(1));
