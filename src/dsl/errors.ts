/** A place in the user's source. Lines and columns start at 1. */
export interface Span {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The source line itself, when the transform kept it. */
  readonly text?: string;
}

export interface ErrorDetails {
  readonly span?: Span | undefined;
  /** What to write or do instead; shown on a line of its own. */
  readonly remedy?: string;
  readonly cause?: unknown;
}

/**
 * Every refusal of this package. `code` is stable and has a page under docs/errors;
 * the message shows the place with a caret, the numbers involved, and the remedy.
 */
export class IndexicalError extends Error {
  override readonly name = "IndexicalError";
  readonly code: string;
  readonly span: Span | undefined;
  readonly remedy: string | undefined;

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(layout(code, message, details), details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.span = details.span;
    this.remedy = details.remedy;
  }
}

/** `file:line:column`, as editors understand it. */
export const place = (span: Span): string => `${span.file}:${span.line}:${span.column}`;

/** The name that is called at a place, as the source spells it; undefined when the line is not known or something else stands there. */
export const nameAt = (span: Span | undefined): string | undefined =>
  /^[\p{L}_$][\p{L}\p{N}_$]*(?=\()/u.exec(span?.text?.slice(span.column - 1) ?? "")?.[0];

const layout = (code: string, message: string, { span, remedy }: ErrorDetails): string => {
  const lines = [`${message} [${code}]`];
  if (span) {
    lines.push(`  at ${place(span)}`);
    if (span.text !== undefined) {
      const gutter = `${span.line} | `;
      const text = span.text.replaceAll("\t", " ");
      lines.push(`  ${gutter}${text}`, `  ${" ".repeat(gutter.length + Math.min(span.column - 1, text.length))}^`);
    }
  }
  if (remedy) lines.push(`  ${remedy}`);
  return lines.join("\n");
};
