import { backward } from "./backward.js";
import { networks } from "./networks.js";
import { operators } from "./operators.js";
import { variants } from "./variants.js";
import type { Workload } from "./workload.js";

export type { Workload } from "./workload.js";

/** All workloads that need no file. */
export const workloads: readonly Workload[] = [...operators.filter((w) => w.name.startsWith("W")), ...networks, ...variants, ...operators.filter((w) => !w.name.startsWith("W")), ...backward()];
