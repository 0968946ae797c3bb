/** Words that can't name a tensor or an index in printed code. */
const reserved = (
  "await break case catch class const continue debugger default delete do else enum export extends false finally for function if implements import in instanceof " +
  "interface let new null package private protected public return static super switch this throw true try typeof var void while with yield arguments eval undefined " +
  "NaN Infinity Math tensor sum prod max min mean argmax fn pad constant uniform erf sigmoid stopGradient program Index Tensor"
).split(" ");

/** The names in use in printed code, in scopes within scopes. */
export class Names {
  private readonly used: Set<string>;

  constructor(private readonly outer?: Names) {
    this.used = new Set(outer ? [] : reserved);
  }

  has(name: string): boolean {
    return this.used.has(name) || (this.outer?.has(name) ?? false);
  }

  /** An identifier like `wanted` that is not in use here, and is from now on. */
  take(wanted: string): string {
    const base = identifier(wanted);
    let name = base;
    for (let n = 2; this.has(name); n++) name = `${base}${/\d$/.test(base) ? "_" : ""}${n}`;
    this.used.add(name);
    return name;
  }

  /** A scope in which all names of this one are in use. */
  inner(): Names {
    return new Names(this);
  }
}

export const isIdentifier = (text: string): boolean => /^[A-Za-z_$][\w$]*$/.test(text);

/** `conv1.weight` becomes `conv1Weight`. */
const identifier = (text: string): string => {
  const joined = text.replace(/[^\w$]+(\w?)/g, (_, next: string) => next.toUpperCase());
  return isIdentifier(joined) ? joined : `t${joined}`;
};
