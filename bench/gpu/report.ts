import type { Check } from "./check.js";
import type { GpuProbe } from "./probe.js";

/** A row in the shape of the other benchmark's, with what only a GPU has beside it. */
export interface GpuRow {
  readonly name: string;
  readonly describe: string;
  readonly device: string;
  readonly threads: number;
  /** All kernels of a run by the GPU's clock. */
  readonly medianMs: number;
  /** The run as the processor sees it, operands on the GPU. */
  readonly wallMs: number;
  readonly firstMs: number;
  readonly gflops: number;
  readonly gbs: number | undefined;
  /** Of the multiply-adds, or of the copy bandwidth where that bounds. */
  readonly probeFraction: number;
  readonly peakRssMb: number;
  readonly agrees: boolean;
  readonly check: Check;
  readonly steps: readonly { readonly name: string; readonly ms: number }[];
  readonly peers: Readonly<Record<string, { readonly medianMs: number; readonly ratio: number }>>;
}

export interface GpuReport {
  readonly machine: GpuProbe & { readonly adapter: string; readonly software: boolean; readonly cpu: string; readonly node: string; readonly date: string; readonly limits: Readonly<Record<string, number>>; readonly features: readonly string[] };
  readonly results: readonly GpuRow[];
  /** Times of pairs: ACS over dense. */
  readonly ratios: Readonly<Record<string, number>>;
  /** Workloads that gave no result, and why. */
  readonly failures: Readonly<Record<string, string>>;
}

/** Pairs of which the ratio is worth a line. */
const pairs = [["acs-128", "dense-128"], ["W2", "W1"], ["W4", "W3"], ["W6-acs", "W6-dense"]] as const;

export const ratiosOf = (rows: readonly GpuRow[]): Record<string, number> => {
  const time = (name: string): number | undefined => rows.find((r) => r.name === name)?.medianMs;
  return Object.fromEntries(
    pairs.flatMap(([a, b]): [string, number][] => {
      const [x, y] = [time(a), time(b)];
      return x === undefined || y === undefined || y === 0 ? [] : [[`${a} / ${b}`, x / y]];
    }),
  );
};

const columns = ["workload", "ms (GPU)", "ms (run)", "first", "TF/s", "of peak", "right", "peers: ms (ratio)"];

/** The page of a run. */
export const page = ({ machine, results, ratios, failures }: GpuReport): string => {
  const rows = results.map((r) =>
    [
      `${r.name}: ${r.describe}`, r.medianMs.toFixed(3), r.wallMs.toFixed(3), r.firstMs.toFixed(0), (r.gflops / 1000).toFixed(3), `${(100 * r.probeFraction).toFixed(0)} %${r.gbs === undefined ? "" : " (copy)"}`,
      r.agrees ? `yes (${r.check.against}, ${r.check.worst.toExponential(1)})` : `NO (${r.check.against}, ${r.check.worst.toExponential(1)})`,
      Object.entries(r.peers).map(([p, { medianMs, ratio }]) => `${p} ${medianMs.toFixed(3)} (${ratio.toFixed(2)})`).join(", "),
    ].join(" | "),
  );
  return `# Measured on a GPU

${machine.date}: ${machine.adapter}${machine.software ? " (a processor that plays a GPU: times mean nothing)" : ""}, ${machine.cpu}, Node ${machine.node}.
Multiply-adds ${(machine.fmaGflops / 1000).toFixed(2)} TF/s, copy ${machine.copyGBs.toFixed(0)} GB/s.

| ${columns.join(" | ")} |
|${columns.map(() => "---").join("|")}|
${rows.map((r) => `| ${r} |`).join("\n")}

${Object.entries(ratios).map(([name, ratio]) => `* ${name}: ${ratio.toFixed(3)}`).join("\n")}
${Object.entries(failures).map(([name, why]) => `* ${name} gave no result: ${why}`).join("\n")}
`;
};
