import { indexOf, variable } from "../../dsl/index.js";
import type { Program, Source, Stage, Value } from "../ir.js";
import { mapParts, read, remakeData } from "../values.js";
import { substitute } from "../../dsl/index.js";
import { usesData } from "./values.js";

/**
 * Inserts copies where inputs and outputs are stored in another way than the user's. `plain` says of which sources
 * the storage is the user's; `image` gives, for each source whose storage is free, the one it stands for.
 */
export const convert = (program: Program, plain: (s: Source) => boolean): { readonly program: Program; readonly image: ReadonlyMap<Source, Source> } => {
  const image = new Map<Source, Source>();
  const moved = new Map<Source, Source>();
  const stages: Stage[] = [];
  for (const input of program.inputs) {
    if (plain(input)) image.set(input, input);
    else {
      const packed = copyOf(input, `${input.name}.packed`);
      image.set(packed, input);
      moved.set(input, packed);
      stages.push(packed);
    }
  }
  const constants = new Set<Source>();
  for (const stage of program.stages) {
    const next: Stage = moved.size === 0 ? stage : { ...stage, pieces: stage.pieces.map((p) => ({ ...p, body: redirect(p.body, moved, constants) })) };
    if (next !== stage) moved.set(stage, next);
    image.set(next, stage);
    stages.push(next);
  }
  for (const stage of program.stages) for (const p of stage.pieces) redirect(p.body, new Map(), constants);
  for (const s of constants) image.set(s, s);
  const outputs = program.outputs.map(({ name, source }) => {
    const now = source.kind === "input" ? source : (moved.get(source) ?? source);
    if (source.kind === "input" || plain(source)) return { name, source: now };
    const unpacked = copyOf(now, `${source.name}.unpacked`);
    stages.push(unpacked);
    return { name, source: unpacked };
  });
  return { program: { inputs: program.inputs, stages, outputs }, image };
};

const copyOf = (source: Source, name: string): Stage => {
  const axes = source.shape.map((extent, d) => ({ variable: variable(`i${d}`, extent), start: 0, step: 1 }));
  return { kind: "stage", name, shape: source.shape, pieces: [{ axes, body: read(source, axes.map((a) => indexOf(a.variable))) }] };
};

/** `v` with other sources; constants that it reads are added to `constants`. */
const redirect = (v: Value, to: ReadonlyMap<Source, Source>, constants: Set<Source>): Value => {
  const done = new Map<Value, Value>();
  const go = (x: Value): Value => {
    let known = done.get(x);
    if (!known) {
      const y = mapParts(x, go, (a) => (usesData(a) ? substitute(a, () => undefined, (atom) => remakeData(atom, go(atom.value as Value))) : a));
      if (y.kind === "read" && y.source.kind === "constants") constants.add(y.source);
      known = y.kind === "read" && to.has(y.source) ? read(to.get(y.source)!, y.indices, y.fill, y.span) : y;
      done.set(x, known);
    }
    return known;
  };
  return go(v);
};
