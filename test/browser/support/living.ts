/** What `--js-flags=--expose-gc` adds. */
declare const gc: () => void;

/**
 * Counts what a program holds: memories of WebAssembly, which the garbage collector takes when nobody refers to them, and
 * what it does not reach: workers, GPU buffers, textures and programs of WebGL. The function that it gives waits
 * some seconds for all of it to go.
 */
export const living = (): (() => Promise<{ readonly made: number; readonly alive: Readonly<Record<string, number>> }>) => {
  const alive = new Map<object, string>();
  let made = 0;
  const born = <T extends object>(thing: T, name: string): T => {
    made++;
    alive.set(thing, name);
    return thing;
  };
  const restore: (() => void)[] = [];
  const patch = (
    prototype: object,
    method: string,
    wrap: (original: (...of: unknown[]) => unknown) => (this: object, ...of: unknown[]) => unknown,
  ): void => {
    const holder = prototype as Record<string, (...of: unknown[]) => unknown>;
    const original = holder[method]!;
    holder[method] = wrap(original);
    restore.push(() => (holder[method] = original));
  };
  /** Methods of a prototype that make and end things. */
  const watch = (prototype: object, name: string, make: string | undefined, end: string, ended: "this" | "argument"): void => {
    if (make !== undefined)
      patch(
        prototype,
        make,
        (original) =>
          function (...of) {
            const thing = original.apply(this, of);
            return typeof thing === "object" && thing !== null ? born(thing, name) : thing;
          },
      );
    patch(
      prototype,
      end,
      (original) =>
        function (...of) {
          alive.delete(ended === "this" ? this : (of[0] as object));
          return original.apply(this, of);
        },
    );
  };
  const { Worker: Original } = globalThis;
  globalThis.Worker = class extends Original {
    constructor(...of: ConstructorParameters<typeof Original>) {
      super(...of);
      born(this, "worker");
    }
    override terminate(): void {
      alive.delete(this);
      super.terminate();
    }
  };
  restore.push(() => (globalThis.Worker = Original));
  const memories: WeakRef<object>[] = [];
  const { Memory } = WebAssembly;
  WebAssembly.Memory = class extends Memory {
    constructor(...of: ConstructorParameters<typeof Memory>) {
      super(...of);
      made++;
      memories.push(new WeakRef(this));
    }
  };
  restore.push(() => (WebAssembly.Memory = Memory));
  if (typeof GPUDevice === "function") {
    patch(
      GPUDevice.prototype,
      "createBuffer",
      (original) =>
        function (...of) {
          return born(original.apply(this, of) as object, "GPU buffer");
        },
    );
    watch(GPUBuffer.prototype, "GPU buffer", undefined, "destroy", "this");
  }
  watch(WebGL2RenderingContext.prototype, "texture", "createTexture", "deleteTexture", "argument");
  watch(WebGL2RenderingContext.prototype, "program", "createProgram", "deleteProgram", "argument");
  return async () => {
    const left = (): number => alive.size + memories.filter((memory) => memory.deref()).length;
    for (let wait = 0; wait < 10 && left() > 0; wait++) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      gc();
    }
    for (const undo of restore) undo();
    const count: Record<string, number> = {};
    for (const memory of memories) if (memory.deref()) count["memory"] = (count["memory"] ?? 0) + 1;
    for (const name of alive.values()) count[name] = (count[name] ?? 0) + 1;
    return { made, alive: count };
  };
};
