import { refusal } from "./modes.js";

interface Drawing {
  readonly canvas: HTMLCanvasElement | OffscreenCanvas;
  readonly context: WebGL2RenderingContext;
}

let shared: Drawing | undefined;

/** The WebGL 2 context of all programs: browsers keep few contexts alive, and drop the oldest for a new one. @throws device-unavailable */
export const sharedWebgl = (): Drawing => {
  if (shared && !shared.context.isContextLost()) return shared;
  if (typeof document === "undefined" && typeof OffscreenCanvas === "undefined") throw refusal("webgl2", "WebGL 2 needs a browser");
  const canvas = typeof OffscreenCanvas === "undefined" ? document.createElement("canvas") : new OffscreenCanvas(1, 1);
  const context = canvas.getContext("webgl2", { alpha: false, depth: false, antialias: false, powerPreference: "high-performance" }) as WebGL2RenderingContext | null;
  if (!context) throw refusal("webgl2", "the browser gives no WebGL 2 context");
  return (shared = { canvas, context });
};
