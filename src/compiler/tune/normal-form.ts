import { Canonical } from "../canonical.js";
import type { Program } from "../ir.js";

/** Two FNV-1a hashes side by side. A collision costs speed and nothing else: winners are looked up among a kernel's own candidates. */
export const hash = (text: string): string => {
  let [a, b] = [0x811c9dc5, 0x01000193];
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    a = Math.imul(a ^ c, 0x01000193);
    b = Math.imul(b ^ c, 0x85ebca6b) + (b >>> 13);
  }
  return [a, b].map((n) => (n >>> 0).toString(16).padStart(8, "0")).join("");
};

/** Names that are the same in every process. */
class Stable extends Canonical {
  override name(text: string): string {
    return `#${hash(text)}`;
  }

  override table(shape: readonly number[], data: ArrayLike<number>): string {
    return `table ${shape.join("x")} ${data.length <= 64 ? Array.from(data).join(" ") : data.length}`;
  }
}

/** A name for what a program computes on inputs of these shapes, the names of its indices and the order of its loops apart. */
export const normalForm = (program: Program): string =>
  hash(`${new Stable().program(program)} ${program.inputs.map((i) => i.shape.join("x")).join(" ")}`);
