import { sizeOf } from "../../../dsl/index.js";
import type { WebgpuBuffer, WebgpuPlace } from "../../../runtime/webgpu/plan.js";
import type { Program, Source } from "../../ir.js";

/** What one dispatch reads and writes. */
export interface Use {
  readonly reads: ReadonlySet<Source>;
  /** Those that are read as vectors: a buffer is not seen as vectors and written as numbers at once. */
  readonly vectors: ReadonlySet<Source>;
  readonly target: Source;
  /** Runs once, when the program is loaded. */
  readonly once: boolean;
}

/** Bytes of an element. */
export const widthOf = (half: boolean): 2 | 4 => (half ? 2 : 4);

export interface Storage {
  readonly buffers: readonly WebgpuBuffer[];
  readonly places: ReadonlyMap<Source, WebgpuPlace>;
}

/** Places in a buffer begin at multiples of this many elements. */
const alignment = 16;
const aligned = (n: number): number => Math.ceil(n / alignment) * alignment;

/** Sources that share a buffer for the whole run. */
interface Group {
  members: Source[];
  elements: number;
}

/**
 * Decides where each tensor lies. Inputs and outputs have buffers of their own, results between steps share a pool by
 * their lifetimes, and constants lie together. Where a shader would see more buffers than a device binds, the smallest
 * that it reads move into one.
 */
export const store = (program: Program, uses: readonly Use[], mostBindings: number, bindingBytes: number, halves: ReadonlySet<Source> = new Set()): Storage => {
  const mostOf = (s: Source): number => Math.floor(bindingBytes / widthOf(halves.has(s)));
  const most = Math.floor(bindingBytes / 4);
  const sources = new Set<Source>([...program.inputs, ...uses.flatMap((u) => [...u.reads, u.target]), ...program.outputs.map((o) => o.source)]);
  const elements = (s: Source): number => sizeOf(s.shape);
  const group = new Map<Source, Group>();
  const join = (members: readonly Source[]): void => {
    const all = [...new Set(members.flatMap((s) => group.get(s)?.members ?? [s]))];
    const joined = { members: all, elements: all.reduce((n, s) => n + aligned(elements(s)), 0) };
    for (const s of all) group.set(s, joined);
  };
  const constants = [...sources].filter((s) => s.kind === "constants");
  if (constants.reduce((n, s) => n + aligned(elements(s)), 0) <= most) join(constants);
  const vectors = new Set(uses.flatMap((u) => [...u.vectors]));
  for (const { reads, target } of uses) {
    const partsOf = (s: Source): number => (group.has(s) ? 1 : Math.max(1, Math.ceil(elements(s) / mostOf(s))));
    for (;;) {
      const seen = [...new Set([...reads, target].map((s) => group.get(s) ?? s))];
      const bindings = seen.reduce((n, s) => n + ("members" in s ? 1 : partsOf(s)), 0);
      if (bindings <= mostBindings) break;
      const small = seen.filter((s) => s !== target && s !== group.get(target) && !vectors.has(s as Source) && !halves.has(s as Source)).sort((a, b) => sizeIn(a, elements) - sizeIn(b, elements));
      if (small.length < 2) break;
      join(small.slice(0, Math.max(2, Math.min(small.length, bindings - mostBindings + 1))).flatMap((s) => ("members" in s ? s.members : [s])));
    }
  }

  const buffers: { name: string; bytes: number }[] = [];
  const places = new Map<Source, WebgpuPlace>();
  const bytesOf = (count: number, half: boolean): number => Math.max(16, widthOf(half) * aligned(count));
  const allocate = (name: string, count: number, half = false): number => buffers.push({ name, bytes: bytesOf(count, half) }) - 1;
  const placed = (s: Source, own: readonly number[], span: number): WebgpuPlace => ({ buffers: own, offset: 0, span, ...(halves.has(s) ? { half: true } : {}) });
  const alone = (s: Source): WebgpuPlace => {
    const [count, half] = [elements(s), halves.has(s)];
    if (count <= mostOf(s)) return placed(s, [allocate(s.name, count, half)], count);
    const span = Math.floor(mostOf(s) / alignment) * alignment;
    const parts = Math.ceil(count / span);
    return placed(s, Array.from({ length: parts }, (_, k) => allocate(`${s.name}.${k}`, Math.min(span, count - k * span), half)), span);
  };
  for (const g of new Set(group.values())) {
    const buffer = allocate(g.members.length === 1 ? g.members[0]!.name : "shared", g.elements);
    let offset = 0;
    for (const s of g.members) {
      places.set(s, { buffers: [buffer], offset, span: elements(s) });
      offset += aligned(elements(s));
    }
  }

  const outputs = new Set<Source>(program.outputs.map((o) => o.source));
  const last = new Map<Source, number>();
  const kept = new Set<Source>(uses.filter((u) => u.once).map((u) => u.target));
  uses.forEach(({ reads, target }, k) => {
    for (const s of reads) last.set(s, k);
    last.set(target, k);
  });
  for (const s of sources) if (!places.has(s) && (s.kind !== "stage" || outputs.has(s) || kept.has(s))) places.set(s, alone(s));

  // The pool: a result takes the free buffer that fits best, or makes the largest free one larger.
  const free: number[] = [];
  const pooled: { buffer: number; until: number }[] = [];
  uses.forEach(({ target }, k) => {
    for (const p of pooled) {
      if (p.until >= k || p.until < 0) continue;
      free.push(p.buffer);
      p.until = -1;
    }
    if (places.has(target)) return;
    const count = elements(target);
    if (count > mostOf(target)) {
      places.set(target, alone(target));
      return;
    }
    const bytes = bytesOf(count, halves.has(target));
    free.sort((a, b) => buffers[a]!.bytes - buffers[b]!.bytes);
    const at = free.findIndex((b) => buffers[b]!.bytes >= bytes);
    const [buffer] = free.length > 0 ? free.splice(at < 0 ? free.length - 1 : at, 1) : [allocate(`pool.${pooled.length}`, count, halves.has(target))];
    buffers[buffer!]!.bytes = Math.max(buffers[buffer!]!.bytes, bytes);
    pooled.push({ buffer: buffer!, until: last.get(target)! });
    places.set(target, placed(target, [buffer!], count));
  });
  return { buffers, places };
};

const sizeIn = (s: Source | Group, elements: (s: Source) => number): number => ("members" in s ? s.elements : elements(s));

/** The use at which the most is alive, and what that is, the largest first. Inputs, outputs and constants always are. */
export const peakOf = (program: Program, uses: readonly Use[], bytes: (s: Source) => number): { readonly at: number; readonly alive: readonly Source[] } => {
  const spans = new Map<Source, [first: number, last: number]>();
  for (const s of [...program.inputs, ...program.outputs.map((o) => o.source)]) spans.set(s, [0, Infinity]);
  uses.forEach(({ reads, target, once }, k) => {
    if (!spans.has(target)) spans.set(target, [k, once ? Infinity : k]);
    for (const s of reads) {
      const span = spans.get(s);
      if (span) span[1] = Math.max(span[1], k);
      else spans.set(s, [0, Infinity]);
    }
  });
  const aliveAt = (k: number): Source[] => [...spans].filter(([, [first, last]]) => first <= k && k <= last).map(([s]) => s);
  const size = (all: readonly Source[]): number => all.reduce((n, s) => n + bytes(s), 0);
  const at = uses.reduce((best, _, k) => (size(aliveAt(k)) > size(aliveAt(best)) ? k : best), 0);
  return { at, alive: aliveAt(at).sort((a, b) => bytes(b) - bytes(a)) };
};
