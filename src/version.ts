/** Of this package; a test compares it with package.json, which pages can't read. */
export const version = "0.1.0";
