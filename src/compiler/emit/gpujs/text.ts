/** A piece of kernel text; `level` says how loosely it binds: 0 stands alone, 1 is a product, 2 a sum. */
export interface Text {
  readonly text: string;
  readonly level: 0 | 1 | 2;
}

export const atom = (text: string): Text => ({ text, level: 0 });

/** The text, in parentheses where it binds more loosely than `level`. */
export const tight = (t: Text, level: 0 | 1 = 0): string => (t.level > level ? `(${t.text})` : t.text);

export const sumText = (a: Text, op: "+" | "-", b: Text): Text => ({ text: `${a.text} ${op} ${tight(b, 1)}`, level: 2 });
export const productText = (a: Text, op: "*" | "/", b: Text): Text => ({ text: `${tight(a, 1)} ${op} ${tight(b)}`, level: 1 });
