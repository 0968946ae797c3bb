import { substitute, type Affine } from "../dsl/index.js";
import type { Piece, Program, Read, Stage, Value } from "./ir.js";
import { mapParts, remakeData } from "./values.js";

/** Replaces reads everywhere in `v`, inner ones first; `inLoop` tells a read that is repeated by a reduction, `was` what it was before the ones inside it were replaced. */
export const replaceReadsDeep = (v: Value, of: (r: Read, inLoop: boolean, was: Read) => Value | undefined): Value => {
  const memos = [new Map<Value, Value>(), new Map<Value, Value>()] as const;
  const go = (w: Value, inLoop: boolean): Value => {
    const memo = memos[inLoop ? 1 : 0];
    let known = memo.get(w);
    if (!known) {
      const inner = inLoop || w.kind === "reduce";
      const affine = (a: Affine): Affine => substitute(a, () => undefined, (atom) => remakeData(atom, go(atom.value as Value, true)));
      known = mapParts(w, (x) => go(x, inner), affine);
      // Not what another value has become: that was rewritten already.
      if (w.kind === "read" && known.kind === "read") known = of(known, inLoop, w) ?? known;
      memo.set(w, known);
    }
    return known;
  };
  return go(v, false);
};

/** Reads of a stage that was rebuilt are of the new one. */
export const redirect = (piece: Piece, rewritten: ReadonlyMap<Stage, Stage>): Piece => ({
  ...piece,
  body: replaceReadsDeep(piece.body, (r) => {
    const next = r.source.kind === "stage" ? rewritten.get(r.source) : undefined;
    return next && next !== r.source ? { ...r, source: next } : undefined;
  }),
});

/** The program with each stage rebuilt by `f`, in order; what reads a stage reads the new one. */
export const mapStages = (program: Program, f: (stage: Stage) => Stage): Program => {
  const rewritten = new Map<Stage, Stage>();
  for (const stage of program.stages) rewritten.set(stage, f({ ...stage, pieces: stage.pieces.map((p) => redirect(p, rewritten)) }));
  return {
    ...program,
    stages: [...rewritten.values()],
    outputs: program.outputs.map((o) => ({ name: o.name, source: o.source.kind === "stage" ? rewritten.get(o.source)! : o.source })),
  };
};
