import { nodeModule } from "../node.js";
import type { Library } from "./library.js";
import { alongLanes } from "./plan.js";

/** The version whose insides are known. */
const knownVersion = "2.24.1";

/** What is used of the emitter of gpu.js, which no declaration describes. */
interface FunctionNode {
  readonly source: unknown;
  readonly vMaskDepth: number;
  readonly em: { i32x4ExtractLane(lane: number): FunctionNode["em"]; i32Const(n: number): FunctionNode["em"]; i32Shl(): FunctionNode["em"]; v128Load(offset: number, align: number): FunctionNode["em"] };
  readonly assembler: { readonly layout: Readonly<Record<string, Readonly<Record<string, { readonly offset: number } | undefined>>>> };
  getJsAST(): { readonly start: number };
  vEmitIndex(index: object): void;
}

type Gather = (this: FunctionNode, table: string, name: string, x: object, y: object | undefined, z: object | undefined, member: { readonly start: number; readonly end: number }) => string;

export interface VectorLoads {
  readonly on: boolean;
  /** What was found, or why not. */
  readonly reason: string;
}

let decided: Promise<VectorLoads> | undefined;

/**
 * gpu.js loads the four lanes of a vector one by one, wherever they lie. Where a kernel says that they lie side by side, this
 * makes it one load. It changes a method of gpu.js for the whole process, which other kernels do not notice; so it is
 * done for one version only, and undone when a kernel of known result comes out wrong.
 */
export const vectorLoads = (library: Library): Promise<VectorLoads> => (decided ??= decide(library));

const decide = async (library: Library): Promise<VectorLoads> => {
  const version = await versionOf();
  return install(library, version);
};

/** The version of gpu.js that is loaded; undefined in pages, where a bundle does not tell. */
const versionOf = async (): Promise<string | undefined> => {
  try {
    const node = await nodeModule<typeof import("node:module")>("node:module");
    return node && (node.createRequire(import.meta.url)("gpu.js/package.json") as { readonly version: string }).version;
  } catch {
    return undefined;
  }
};

/** Replaces the method, tries it, and puts it back where the trial fails. */
export const install = (library: Library, version: string | undefined): VectorLoads => {
  const stock = (reason: string): VectorLoads => ({ on: false, reason: `gpu.js as it is: ${reason}` });
  if (version !== knownVersion) return stock(version === undefined ? "it does not tell its version here" : `its version is ${version}, and vector loads were written for ${knownVersion}`);
  const prototype = library.WebAssemblyFunctionNode?.prototype as { vGather?: Gather } | undefined;
  const gather = prototype?.vGather;
  if (!prototype || !gather) return stock("it has no method vGather");
  let loads = 0;
  prototype.vGather = function (table, name, x, y, z, member) {
    const layout = this.assembler.layout[table]?.[name];
    // Under a mask an index may be one that is never looked at, and wild.
    if (!layout || y || z || this.vMaskDepth > 0 || !isMarked(this, member)) return gather.call(this, table, name, x, y, z, member);
    loads++;
    this.vEmitIndex(x);
    this.em.i32x4ExtractLane(0).i32Const(2).i32Shl().v128Load(layout.offset, 2);
    return "vf32";
  };
  const wrong = trial(library, () => loads);
  if (wrong === undefined) return { on: true, reason: `one load for four lanes, by what is known of gpu.js ${knownVersion}` };
  prototype.vGather = gather;
  return stock(wrong);
};

const isMarked = (node: FunctionNode, { start, end }: { readonly start: number; readonly end: number }): boolean => {
  if (typeof node.source !== "string") return false;
  // Places count from the text that gpu.js put around the kernel.
  const before = node.getJsAST().start;
  return node.source.slice(start - before, end - before).includes(alongLanes);
};

/** Runs a kernel whose result is known; what is wrong with it, or undefined. */
const trial = (library: Library, loads: () => number): string | undefined => {
  const source = `function (a, b) {
    let s = 0;
    let p = this.output.x; p++; p = this.thread.x;
    for (let k = 0; k < 3; k++) {
      s = s + a[p + 1 ${alongLanes}] * b[this.thread.x];
      p = p + 8;
    }
    return s;
  }`;
  const [a, b] = [Float32Array.from({ length: 28 }, (_, i) => (i * i) % 11), Float32Array.from({ length: 8 }, (_, i) => i - 3)];
  const expected = Array.from(b, (v, i) => (a[i + 1]! + a[i + 9]! + a[i + 17]!) * v);
  let gpu: InstanceType<Library["GPU"]> | undefined;
  try {
    gpu = new library.GPU({ mode: "webasm" });
    const kernel = gpu.createKernel(source, { output: [8], precision: "single" });
    const result = kernel(new library.Input(a, [a.length]), new library.Input(b, [b.length])) as unknown as ArrayLike<number>;
    const found = Array.from(result).join();
    kernel.destroy();
    if (found !== expected.join()) return `a kernel of known result gave ${found} instead of ${expected.join()}`;
    return loads() > 0 ? undefined : "its kernels don't reach the method";
  } catch (error) {
    return (error as Error).message;
  } finally {
    void gpu?.destroy();
  }
};
