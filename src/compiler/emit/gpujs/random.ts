import { uniformOf } from "../../../dsl/index.js";
import { integerVariable } from "./integers.js";
import { atom, type Text } from "./text.js";

/** What writing a generator needs of the kernel around it. */
export interface RandomHost {
  fresh(wish: string): string;
  line(text: string): void;
  number(n: number): Text;
}

/**
 * The generator of the language, `uniformOf`, in 32-bit arithmetic; `parts` are integers.
 * Products are split so that no digit is lost where JavaScript multiplies doubles.
 */
export const uniformText = (host: RandomHost, parts: readonly string[]): Text => {
  if (parts.length === 0) return host.number(uniformOf([]));
  const h = host.fresh("h");
  const times = (k: number): void => {
    const [low, high] = [k & 0xffff, k >>> 16];
    const [l, u] = [host.fresh("l"), host.fresh("u")];
    host.line(integerVariable(l, `${h} & 65535`));
    host.line(integerVariable(u, `${h} >>> 16`));
    host.line(`${h} = (${l} * ${low} + ((((${u} * ${low}) & 65535) + ((${l} * ${high}) & 65535)) << 16)) | 0;`);
  };
  const stir = (by: number): void => host.line(`${h} = ${h} ^ (${h} >>> ${by});`);
  parts.forEach((part, k) => {
    // A literal by itself would be rounded to a float.
    if (k === 0) host.line(integerVariable(h, `(-${-(0x9e3779b9 | 0)}) ^ ${part}`));
    else host.line(`${h} = ${h} ^ ${part};`);
    stir(16);
    times(0x7feb352d);
    stir(15);
    times(0x846ca68b);
    stir(16);
  });
  const top = host.fresh("u");
  host.line(integerVariable(top, `${h} >>> 8`));
  return atom(`(${top} / 16777216)`);
};
