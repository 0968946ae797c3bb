export { emitWebgpu, type WebgpuOptions } from "./emit.js";
export type { Tile } from "./contract/tiles.js";
