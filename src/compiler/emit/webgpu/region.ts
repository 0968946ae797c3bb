import { add, extentOf, floorDivide, indexOf, integer, remainder, scale, variable, visitVariables, type Affine, type Atom, type Variable } from "../../../dsl/index.js";
import { visitCondition } from "../../conditions.js";
import type { Piece, Stage, Value } from "../../ir.js";
import { offsetOf, rowMajor } from "../../schedule/layout.js";
import { substitution } from "../../schedule/values.js";
import { mapParts, visitParts } from "../../values.js";

/** What a piece computes, as loops over a body; `place` is the element offset in the row-major stage. */
export interface Region {
  readonly stage: Stage;
  readonly loops: readonly Variable[];
  readonly body: Value;
  readonly place: Affine;
}

export const regionOf = (stage: Stage, piece: Piece): Region => ({
  stage,
  loops: piece.axes.map((a) => a.variable),
  body: tidy(piece.body),
  place: offsetOf(rowMajor(stage.shape), piece.axes.map((a) => add(scale(indexOf(a.variable), a.step), integer(a.start)))),
});

export const product = (loops: readonly Variable[]): number => loops.reduce((n, v) => n * extentOf(v), 1);

/** Whether four results, neighbours along the last of some loops, are a vector of four in memory wherever they begin. */
export const inQuads = ({ place }: Region, loops: readonly Variable[]): boolean => {
  const last = loops.filter((v) => extentOf(v) > 1).at(-1);
  return (
    last !== undefined && extentOf(last) % 4 === 0 && place.constant % 4 === 0 &&
    place.terms.every(({ atom, coefficient }) => atom.kind === "variable" && (atom.variable === last ? coefficient === 1 : coefficient % 4 === 0))
  );
};

/** Rebuilt through the constructors, which work out what is constant: WGSL refuses 1 / 0 and the like. */
const tidy = (body: Value): Value => {
  const done = new Map<Value, Value>();
  const go = (v: Value): Value => {
    let image = done.get(v);
    if (!image) done.set(v, (image = mapParts(v, go, (a) => a)));
    return image;
  };
  return go(body);
};

/**
 * Takes loops apart of which quotients are read, as the channels of a convolution in groups: o = k * g + r, where
 * floor(o / k) is g.
 */
export const splitQuotients = (region: Region): Region => {
  for (const v of region.loops) {
    const k = quotientOf(region.body, v);
    if (k === undefined) continue;
    const [outer, inner] = [variable(v.name, extentOf(v) / k), variable(`${v.name}r`, k)];
    const at = substitution(new Map([[v, add(scale(indexOf(outer), k), indexOf(inner))]]));
    return splitQuotients({
      ...region,
      loops: region.loops.flatMap((l) => (l === v ? [outer, inner] : [l])),
      body: at.value(region.body),
      place: at.affine(region.place),
    });
  }
  return region;
};

/** The largest k for which floor(v / k) occurs in reads and k divides the extent of v. */
const quotientOf = (body: Value, v: Variable): number | undefined => {
  let found: number | undefined;
  const atom = (a: Atom): void => {
    if (a.kind === "floor") {
      const { terms, constant } = a.of;
      const [t] = terms;
      if (terms.length === 1 && constant === 0 && t!.coefficient === 1 && t!.atom.kind === "variable" && t!.atom.variable === v && extentOf(v) % a.by === 0) found = Math.max(found ?? 0, a.by);
      affine(a.of);
    } else if (a.kind === "min" || a.kind === "max") a.of.forEach(affine);
  };
  const affine = (a: Affine): void => {
    for (const t of a.terms) atom(t.atom);
    visitVariables(a, () => {}, (data) => value(data as Value));
  };
  const seen = new Set<Value>();
  const value = (x: Value): void => {
    if (seen.has(x)) return;
    seen.add(x);
    if (x.kind === "reduce") visitCondition(x.where, affine, value);
    visitParts(x, value, affine);
  };
  value(body);
  return found;
};

/** What variables are at a position of the box that they span, the last one fastest. */
export const digitsOf = (flat: Affine, variables: readonly Variable[]): (readonly [Variable, Affine])[] => {
  let inner = 1;
  return [...variables]
    .reverse()
    .map((v, k): readonly [Variable, Affine] => {
      const quotient = floorDivide(flat, inner);
      inner *= extentOf(v);
      // The first one takes what is left: a position beyond the box stays beyond it.
      return [v, extentOf(v) === 1 ? integer(0) : k === variables.length - 1 ? quotient : remainder(quotient, extentOf(v))];
    })
    .reverse();
};

/** The position of variables in the box that they span. */
export const positionOf = (variables: readonly Variable[], at: (v: Variable) => Affine): Affine =>
  variables.reduce((flat, v) => add(scale(flat, extentOf(v)), at(v)), integer(0));
