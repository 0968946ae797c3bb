import { setTimeout } from "node:timers/promises";
import type { Ready, Timed } from "./contestant.js";
import { findWorkload } from "./find.js";
import { median } from "./numbers.js";
import { chromiumCommand, script, type Peer } from "./peers.js";
import type { Prober } from "./probe.js";
import { Process } from "./process.js";
import type { PeerRow, Row } from "./report.js";

/** What `measure` is told. */
export interface Order {
  readonly name: string;
  readonly device: string;
  readonly threads: number;
  readonly rounds: number;
  readonly peers: readonly Peer[];
  readonly prober: Prober;
  /** Also in a page of Chromium, beside onnxruntime-web. */
  readonly browser: boolean;
}

interface Contestant {
  readonly name: string;
  readonly process: Process;
  /** What the process calls it. */
  readonly who: string;
  readonly ready: Ready;
  readonly times: Timed[];
}

/** Rounds for a contestant whose run takes this long or longer: more would take minutes. */
const patience = 4000;
const fewRounds = 2;

/** At the start of a turn, for whatever waited until the contestant woke. */
const settleMs = 100;
/** Whoever takes less than this runs untimed in each turn, at least once and for so long: threads that slept find their cores, nobody is timed on the caches of another. */
const quick = 500;
const warmMs = 200;
/** Whoever takes less than this is timed so often in a turn, and the middle one counts. */
const quicker = 100;
const often = 3;

/** One turn of a contestant. */
const turn = async (c: Contestant): Promise<Timed> => {
  c.process.wake();
  await setTimeout(settleMs);
  const last = c.times.at(-1)?.ms ?? c.ready.firstMs;
  if (last < quick) {
    const until = performance.now() + warmMs;
    do await c.process.time(c.who);
    while (performance.now() < until);
  }
  const timed: Timed[] = [];
  while (timed.length < (last < quicker ? often : 1)) timed.push(await c.process.time(c.who));
  c.process.rest();
  return timed.sort((a, b) => a.ms - b.ms)[Math.floor(timed.length / 2)]!;
};

/** One workload on one device in so many threads, next to its peers, all in turns; a second row where it ran in Chromium too. */
export const measure = async (order: Order): Promise<readonly Row[]> => {
  const { name, device, threads, peers, prober } = order;
  const workload = await findWorkload(name);
  const processes: Process[] = [];
  const open = (command: readonly string[]): Process => {
    const process = new Process(command, threads);
    processes.push(process);
    return process;
  };
  const enter = async (who: string, process: Process, as = ""): Promise<Contestant | undefined> => {
    try {
      process.wake();
      const ready = await process.start(as);
      process.rest();
      return { name: who, process, who: as, times: [], ready };
    } catch (error) {
      console.error(`  ${who} on ${name}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  };
  try {
    const own = await enter("indexical", open(script("ours.ts", name, device, String(threads))));
    if (!own) return [];
    const { beside } = workload;
    const reference = beside && (await enter(beside.as, open(script("ours.ts", beside.name, device, String(threads)))));
    const others: Contestant[] = [];
    for (const p of peers) {
      const contestant = p.plays(workload, threads, device) ? await enter(p.name, open(p.command(name, threads))) : undefined;
      if (contestant) others.push(contestant);
    }
    const command = order.browser && device === "wasm" ? chromiumCommand(workload, threads) : undefined;
    const page = command && open(command);
    const inPage = page && (await enter("indexical in Chromium", page, "indexical"));
    const webInPage = inPage && (await enter("onnxruntime-web in Chromium", page, "onnxruntime-web"));

    const all = [own, reference, ...others, inPage, webInPage].filter((c) => c !== undefined);
    const [simd, copies]: [number[], number[]] = [[], []];
    for (let round = 0; round < order.rounds; round++) {
      simd.push(await prober.measure("simd"));
      if (workload.bytes !== undefined) copies.push(await prober.measure("copy"));
      for (const c of all) if (c.times.length < fewRounds || c.times[0]!.ms < patience) c.times.push(await turn(c));
    }
    const memory = new Map<Process, number>();
    for (const p of processes.splice(0)) memory.set(p, await p.end().then((e) => e.peakRssMb, () => 0));

    const time = (c: Contestant): number => median(c.times.map((t) => (workload.network ? t.ms : t.ms - (t.conversionMs ?? 0))));
    const ceiling = median(workload.bytes === undefined ? simd : copies);
    const rowOf = (c: Contestant, where: string, peersOf: Readonly<Record<string, PeerRow>>): Row => {
      const medianMs = time(c);
      const gflops = workload.flops / medianMs / 1e6;
      const gbs = workload.bytes === undefined ? undefined : workload.bytes / medianMs / 1e6;
      return {
        name, describe: workload.describe, device: where, threads, medianMs,
        conversionMs: median(c.times.map((t) => t.conversionMs ?? 0)), firstMs: c.ready.firstMs,
        gflops, gbs, probe: ceiling, probeFraction: (gbs ?? gflops) / ceiling,
        peakRssMb: c === inPage ? 0 : memory.get(c.process)!,
        agrees: agreement(c, others, name), peers: peersOf,
      };
    };
    const against = (c: Contestant, peer: Contestant, scale = 1): PeerRow => {
      const medianMs = time(peer) * scale;
      const peakRssMb = peer === webInPage ? undefined : memory.get(peer.process);
      return { medianMs, ratio: medianMs / time(c), peakRssMb, device: peer.ready.device };
    };
    const peerRows: Record<string, PeerRow> = Object.fromEntries(others.map((p) => [p.name, against(own, p)]));
    if (reference) peerRows[reference.name] = against(own, reference, beside.scale);
    // With threads it runs in a page only: compared with what ran beside it, in the same engine.
    if (inPage && webInPage && !peerRows["onnxruntime-web"]) peerRows["onnxruntime-web"] = { ...against(inPage, webInPage), besideMs: time(inPage) };
    const rows = [rowOf(own, own.ready.device, peerRows)];
    if (inPage) rows.push(rowOf(inPage, `${inPage.ready.device} in Chromium`, webInPage ? { "onnxruntime-web": against(inPage, webInPage) } : {}));
    return rows;
  } finally {
    for (const p of processes) await p.end().catch(() => undefined);
  }
};

/** Whether our numbers are those of a peer; undefined where nobody computed the same. */
const agreement = (c: Contestant, others: readonly Contestant[], name: string): boolean | undefined => {
  const peer = others.find((o) => o.ready.sample.length > 0);
  if (!peer) return undefined;
  const expected = peer.ready.sample;
  const largest = Math.max(1, ...expected.map(Math.abs));
  const agrees = c.ready.sample.every((v, k) => Math.abs(v - expected[k]!) <= 1e-3 * largest);
  if (!agrees) console.error(`  ${name}: our result differs from that of ${peer.name}`);
  return agrees;
};

