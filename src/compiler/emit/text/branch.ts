import { Block } from "./block.js";

/** What writes statements: the block it is in, and a way to write in another. */
interface Writer {
  readonly block: Block;
  within(block: Block, write: () => void): void;
}

/** Writes an `if`. What the branches compute outside themselves comes before it. */
export const branch = (into: Writer, test: string, then: () => void, otherwise?: () => void): void => {
  const write = (f: () => void): Block => {
    const inner = new Block("branch", into.block);
    into.within(inner, f);
    return inner;
  };
  const [first, second] = [write(then), otherwise && write(otherwise)];
  into.block.close(`if (${test})`, first);
  if (!second) return;
  into.block.lines.pop();
  into.block.close("} else", second);
};
