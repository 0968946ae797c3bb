import ts from "typescript";
import type { Span } from "../errors.js";

/** Lines longer than this are generated code; quoting them in a message helps nobody. */
const longestLine = 400;
/** Columns live in the low 16 bits of a place. */
const lastColumn = 0xffff;

/** Places in one file, in its original text. Lines and columns start at 1. */
export class Source {
  readonly #file: ts.SourceFile;
  readonly #starts: readonly number[];
  /** The lines that hold quoted code. */
  readonly #quoted = new Set<number>();
  /** The name that messages show. */
  readonly name: string;

  constructor(file: ts.SourceFile, name: string) {
    this.#file = file;
    this.#starts = file.getLineStarts();
    this.name = name;
  }

  /** `line * 65536 + column` of the first character of a node. */
  at(node: ts.Node): number {
    const { line, column } = this.#position(node.getStart(this.#file));
    return line * (lastColumn + 1) + Math.min(column, lastColumn);
  }

  /** The place of a node with its source line, for messages. */
  span(node: ts.Node): Span {
    return this.spanOf(node.getStart(this.#file));
  }

  spanOf(offset: number): Span {
    const { line, column } = this.#position(offset);
    const text = this.#text(line);
    return { file: this.name, line, column, ...(text === undefined ? {} : { text }) };
  }

  /** Remembers the lines of a node: its text travels with the program. */
  keep(node: ts.Node): void {
    const first = this.#position(node.getStart(this.#file)).line;
    const last = this.#position(node.end).line;
    for (let line = first; line <= last; line++) this.#quoted.add(line);
  }

  /** The kept lines with their numbers, in order. */
  lines(): readonly (readonly [number, string])[] {
    return [...this.#quoted]
      .sort((a, b) => a - b)
      .flatMap((line) => {
        const text = this.#text(line);
        return text === undefined ? [] : [[line, text] as const];
      });
  }

  #position(offset: number): { line: number; column: number } {
    const { line, character } = this.#file.getLineAndCharacterOfPosition(offset);
    return { line: line + 1, column: character + 1 };
  }

  #text(line: number): string | undefined {
    const text = this.#file.text.slice(this.#starts[line - 1], this.#starts[line] ?? this.#file.text.length).trimEnd();
    return text.length > longestLine ? undefined : text;
  }
}
