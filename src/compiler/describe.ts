import { nameAt, printAffine, type Affine } from "../dsl/index.js";
import { atom, at, strength, two, type Printed } from "../dsl/print.js";
import type { Read, Value } from "./ir.js";

/** An index expression in a message, with the data that it depends on spelled out. */
export const describeIndex = (a: Affine): string => printAffine(a, undefined, (value) => describeValue(value as Value).text);

/** The tensor of a read, as the source calls it where that is known. */
export const describeSource = (r: Read): string => (r.source.kind === "input" ? r.source.name : (nameAt(r.span) ?? "the tensor"));

/** A value in a message: short, so conditions and sums are left out. */
const describeValue = (v: Value): Printed => {
  switch (v.kind) {
    case "constant":
      return v.value < 0 ? { text: String(v.value), binds: strength.unary } : atom(String(v.value));
    case "index":
      return atom(describeIndex(v.of));
    case "unary": {
      const a = describeValue(v.a);
      if (v.op === "neg") return { text: `-${at(a, strength.unary)}`, binds: strength.unary };
      return atom(v.op === "erf" || v.op === "sigmoid" ? `${v.op}(${a.text})` : `Math.${v.op}(${a.text})`);
    }
    case "binary":
      return two(v.op, describeValue(v.a), describeValue(v.b));
    case "read":
      return atom(`${describeSource(v)}(${v.indices.map(describeIndex).join(", ")})`);
    case "reduce":
      return atom(`${v.op}(...)`);
    case "select":
      return atom("(... ? ... : ...)");
    case "uniform":
      return atom("uniform(...)");
    case "stop":
      return describeValue(v.a);
  }
};
