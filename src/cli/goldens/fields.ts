import { IndexicalError } from "../../dsl/errors.js";

/** The case says something that no case can say: reported as failed. */
export const malformed = (what: string): never => {
  throw new IndexicalError("golden-malformed", what);
};

/** The case may be right, but nothing here computes it: reported as skipped, never as passed. */
export const unmapped = (what: string): never => {
  throw new IndexicalError("golden-unmapped", what);
};

export const isUnmapped = (error: unknown): boolean => error instanceof IndexicalError && error.code === "golden-unmapped";

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Typed reading of a JSON object. It remembers what was asked for, so that an argument that nothing looked at is noticed:
 * a case with an argument that changes its meaning must not pass because the argument was ignored.
 */
export class Fields {
  private readonly asked = new Set<string>();

  constructor(
    private readonly record: Readonly<Record<string, unknown>>,
    private readonly where: string,
  ) {}

  has(key: string): boolean {
    this.asked.add(key);
    return Object.hasOwn(this.record, key) && this.record[key] !== null;
  }

  /** Some fields are a remark in one case and an object in another. */
  isText(key: string): boolean {
    return this.has(key) && typeof this.record[key] === "string";
  }

  /** The value of `key`; `fallback` when it is absent or null. @throws golden-malformed when it is of another type, or absent without a fallback */
  read<T>(key: string, what: string, is: (value: unknown) => value is T, fallback?: T): T {
    if (!this.has(key)) return fallback === undefined ? malformed(`${this.where} has no ${key}`) : fallback;
    const value = this.record[key];
    return is(value) ? value : malformed(`${key} of ${this.where} should be ${what}, and is ${JSON.stringify(value)}`);
  }

  number(key: string, fallback?: number): number {
    return this.read(key, "a number", isNumber, fallback);
  }

  boolean(key: string, fallback?: boolean): boolean {
    return this.read(key, "true or false", (v): v is boolean => typeof v === "boolean", fallback);
  }

  string(key: string, fallback?: string): string {
    return this.read(key, "a text", (v): v is string => typeof v === "string", fallback);
  }

  numbers(key: string, fallback?: readonly number[]): readonly number[] {
    return this.read(key, "a list of numbers", isNumbers, fallback);
  }

  /** A number or a list of numbers, as stride, padding and the like are given. */
  extents(key: string, fallback?: number | readonly number[]): number | readonly number[] {
    return this.read(key, "a number or a list of numbers", (v): v is number | readonly number[] => isNumber(v) || isNumbers(v), fallback);
  }

  list(key: string): readonly unknown[] {
    return this.read(key, "a list", (v): v is readonly unknown[] => Array.isArray(v));
  }

  /** An object inside. */
  fields(key: string): Fields {
    return new Fields(this.read(key, "an object", isRecord), `${key} of ${this.where}`);
  }

  /** The keys of an object inside, in their order. */
  keys(): readonly string[] {
    return Object.keys(this.record);
  }

  /** Arguments whose value changes nothing here. */
  ignore(...keys: readonly string[]): void {
    for (const key of keys) this.asked.add(key);
  }

  /** @throws golden-unmapped when a key was never asked for */
  checkAllRead(): void {
    const rest = this.keys().filter((key) => !this.asked.has(key));
    if (rest.length > 0)
      unmapped(`no meaning is known here for ${rest.map((key) => `${key} = ${JSON.stringify(this.record[key])}`).join(", ")} of ${this.where}`);
  }
}

const isNumber = (value: unknown): value is number => typeof value === "number";
const isNumbers = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every(isNumber);
