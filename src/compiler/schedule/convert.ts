import type { Program, Source, Stage } from "../ir.js";
import { plainCopy } from "./separate.js";
import { reads, redirect } from "./values.js";

/**
 * Inserts copies where inputs and outputs are stored in another way than the user's. `plain` says of which sources
 * the storage is the user's; `image` gives, for each source whose storage is free, the one it stands for. `copies` are stages
 * that only store a source in another way: those of an input copy the user's storage, or are it.
 */
export const convert = (program: Program, copies: ReadonlySet<Source>, plain: (s: Source) => boolean): { readonly program: Program; readonly image: ReadonlyMap<Source, Source> } => {
  const image = new Map<Source, Source>();
  const moved = new Map<Source, Source>();
  const stages: Stage[] = [];
  for (const input of program.inputs) {
    if (plain(input)) image.set(input, input);
    else {
      const packed = plainCopy(input, `${input.name}.packed`);
      image.set(packed, input);
      moved.set(input, packed);
      stages.push(packed);
    }
  }
  for (const stage of program.stages) {
    const [copied] = copies.has(stage) ? reads(stage.pieces[0]!.body) : [];
    if (copied?.source.kind === "input") {
      if (plain(stage)) moved.set(stage, copied.source);
      else {
        image.set(stage, stage);
        stages.push(stage);
      }
      continue;
    }
    const next: Stage = moved.size === 0 ? stage : { ...stage, pieces: stage.pieces.map((p) => ({ ...p, body: redirect(p.body, moved) })) };
    if (next !== stage) moved.set(stage, next);
    image.set(next, stage);
    stages.push(next);
  }
  for (const stage of program.stages) for (const p of stage.pieces) for (const { source } of reads(p.body)) if (source.kind === "constants") image.set(source, source);
  const outputs = program.outputs.map(({ name, source }) => {
    const now = source.kind === "input" ? source : (moved.get(source) ?? source);
    if (source.kind === "input" || plain(source)) return { name, source: now };
    const unpacked = plainCopy(now, `${source.name}.unpacked`);
    stages.push(unpacked);
    return { name, source: unpacked };
  });
  return { program: { inputs: program.inputs, stages, outputs }, image };
};
