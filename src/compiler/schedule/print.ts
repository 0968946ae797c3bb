import { extentOf, printAffine, type Variable } from "../../dsl/index.js";
import { Names } from "../names.js";
import { ValuePrinter } from "../print-value.js";
import type { Kernel, Schedule, Step } from "./kernel.js";

/** A step as a person can read it: the loops of each kernel, how they are tiled, and what is stored where. */
export const printStep = (step: Step, schedule: Schedule): string => {
  const kernels = step.kernels.map((k) => printKernel(k, schedule));
  const { slabs } = step;
  const slabbed = slabs && `over what it reads, in ${slabs.count} slabs of the outermost loops, ${slabs.order === "ascending" ? "the first" : "the last"} first`;
  return [...(slabbed ? [slabbed] : []), ...kernels].join("\n\n");
};

const printKernel = (kernel: Kernel, schedule: Schedule): string => {
  const { loops, grid, parts, tile, groups, target } = kernel;
  const list = (all: readonly Variable[]): string => all.map((v) => `${v.name}[${extentOf(v)}]`).join(" ");
  const how = (v: Variable): string => {
    if (v === tile?.lane) return ` in lanes: ${tile.vectors} ${tile.vectors === 1 ? "vector" : "vectors"} of 4`;
    if (v === tile?.row) return `, ${tile.rows} at once`;
    return "";
  };
  const lines = [`${kernel.kind} ${kernel.name}`];
  if (groups) lines.push(`  groups: batch ${list(groups.batch) || "-"}; M ${list(groups.m) || "-"}; N ${list(groups.n) || "-"}; K ${list(groups.k) || "-"}`);
  const loop = (v: Variable, note: string): void => void lines.push(`  for ${v.name} < ${extentOf(v)}${how(v)}${note}`);
  for (const v of parts) loop(v, "  (adding up)");
  for (const v of loops.slice(0, grid)) loop(v, "  (shared out)");
  for (const v of loops.slice(grid)) loop(v, "");
  const body = new ValuePrinter((s) => schedule.buffers.get(s)?.name ?? s.name, new Set()).lambda([...loops, ...parts], kernel.body, new Names(), 4, 0);
  lines.push(`    ${schedule.buffers.get(target)!.name}[${printAffine(kernel.store)}] ${parts.length > 0 ? "+=" : "="}`, `    ${body.slice(body.indexOf("=>") + 2).trimStart()}`);
  return lines.join("\n");
};
