import { substitute, type Affine } from "../dsl/index.js";
import type { Read, Value } from "./ir.js";
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
