/** The library, written in the language: convolutions, layers, blocks. */
export * from "./blocks/index.js";
export * from "./conv/index.js";
export * from "./layers/index.js";
