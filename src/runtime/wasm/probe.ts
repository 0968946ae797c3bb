import { canShare } from "./pool.js";

/** A function of one SIMD instruction, v128.not: what is compiled is never run. */
const tiny = Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 123, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 32, 0, 253, 77, 11]);

/** Whether this back end works here, and with what; or why it does not. */
export const probeWasm = async (): Promise<{ readonly works: boolean; readonly reason: string }> => {
  if (typeof WebAssembly !== "object") return { works: false, reason: "there is no WebAssembly here" };
  if (!WebAssembly.validate(tiny)) return { works: false, reason: "WebAssembly has no SIMD instructions here" };
  try {
    await WebAssembly.compile(tiny);
  } catch {
    return { works: false, reason: "the page's content security policy forbids WebAssembly: its script-src lacks 'wasm-unsafe-eval'" };
  }
  return { works: true, reason: canShare() ? "WebAssembly with shared memory" : "WebAssembly in one thread: there is no SharedArrayBuffer" };
};
