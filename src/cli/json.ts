/** JSON for people and programs: typed arrays as arrays; numbers that JSON does not have as text. */
export const jsonText = (value: unknown): string =>
  JSON.stringify(
    value,
    (_key, part: unknown) => {
      if (ArrayBuffer.isView(part) && !(part instanceof DataView)) return Array.from(part as Float64Array);
      return typeof part === "number" && !Number.isFinite(part) ? String(part) : part;
    },
    2,
  );
