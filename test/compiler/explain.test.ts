import fc from "fast-check";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { compile, explain, Explanation } from "../../src/compiler/index.js";
import { devices } from "../../src/compiler/devices.js";
import { compareTraced } from "../../src/compiler/equivalent.js";
import { lower } from "../../src/compiler/lower.js";
import { runPasses } from "../../src/compiler/passes.js";
import { printProgram } from "../../src/compiler/print.js";
import { trace, type ProgramOutput, type Shapes } from "../../src/compiler/trace.js";
import { acsConv3d, alignShiftConv3d, conv3d, convTranspose3d, i3dConv3d, meanAcsConv3d, softAcsConv3d, tsmConv3d } from "../../src/lib/conv/index.js";
import { argmax, constant, max, mean, min, prod, sigmoid, stopGradient, sum, tensor, uniform, type Matrix, type Tensor, type Vector, type Volume, type Kernel2d } from "../../src/dsl/index.js";
import { programs } from "../support/programs.js";
import { compilePrinted } from "./printed.js";

/** Any program, for these tests. */
type Any = (inputs: never) => ProgramOutput;

const acs = ({ x, w }: { x: Volume; w: Kernel2d }): Volume => acsConv3d(x, w, { padding: 1, split: [3, 2, 2] });
const acsShapes = { x: [1, 4, 6, 6, 6], w: [7, 4, 3, 3] };

describe("printed programs", () => {
  it("of ACS are three K x K kernels", () => {
    const { written, specialised } = explain(acs, acsShapes);
    expect(specialised).toBe(`import { pad, sum, tensor, type Index, type Tensor } from "indexical";
type Rank4 = Tensor<[Index, Index, Index, Index]>;
type Rank5 = Tensor<[Index, Index, Index, Index, Index]>;

export const program = ({ x, w }: { x: Rank5; w: Rank4 }) => {
  const xPadded = pad(x, [0, 0, 1, 1, 1]);
  const output = tensor([1, 7, 6, 6, 6], (n, o, d, h, v) =>
    o < 3
      ? sum([4, 3, 3], (c, j, k) => xPadded(n, c, d + 1, h + j, v + k) * w(o, c, j, k))
      : o < 5
      ? sum([4, 3, 3], (c, i, k) => xPadded(n, c, d + i, h + 1, v + k) * w(o, c, i, k))
      : sum([4, 3, 3], (c, i, j) => xPadded(n, c, d + i, h + j, v + 1) * w(o, c, i, j)));
  return output;
};
`);
    expect(written).toContain("sum([4, 3, 3, 3], (c, i, j, k) =>");
  });

  /** Printing, reading and tracing again gives the same normal form. */
  const returns = (f: Any, shapes: Shapes): void => {
    const traced = trace(f, shapes);
    for (const program of [lower(traced), runPasses(traced)]) {
      const text = printProgram(program);
      const again = trace(compilePrinted(text), shapes);
      const { verdict, message } = compareTraced(traced, again);
      expect(verdict, `${message}\n${text}`).toBe("proved");
    }
  };
  const k2 = [4, 4, 3, 3];
  const x = [1, 4, 5, 6, 7];
  const cases: [string, Any, Shapes][] = [
    ["ACS", acs as Any, acsShapes],
    ["ACS of even kernels in strides", (({ x, w }: { x: Volume; w: Kernel2d }) => acsConv3d(x, w, { stride: 2, padding: 1 })) as Any, { x, w: [4, 4, 2, 2] }],
    ["soft ACS", (({ x, w, a }: { x: Volume; w: Kernel2d; a: Matrix }) => softAcsConv3d(x, w, a, { padding: 1 })) as Any, { x, w: k2, a: [4, 3] }],
    ["mean ACS", (({ x, w }: { x: Volume; w: Kernel2d }) => meanAcsConv3d(x, w, { padding: 1, dilation: 2 })) as Any, { x, w: k2 }],
    ["I3D", (({ x, w }: { x: Volume; w: Kernel2d }) => i3dConv3d(x, w, { padding: 1 })) as Any, { x, w: k2 }],
    ["groups", (({ x, w }: { x: Volume; w: Tensor<[number, number, number, number, number]> }) => conv3d(x, w, { groups: 2 })) as Any, { x, w: [4, 2, 1, 3, 3] }],
    ["TSM", (({ x, w }: { x: Volume; w: Kernel2d }) => tsmConv3d(x, w, { padding: 1, fold: 4 } as never)) as Any, { x, w: k2 }],
    ["AlignShift", (({ x, w, t }: { x: Volume; w: Kernel2d; t: Vector }) => alignShiftConv3d(x, w, t, { padding: 1 })) as Any, { x, w: k2, t: [1] }],
    ["transposed", (({ x, w }: { x: Volume; w: Tensor<[number, number, number, number, number]> }) => convTranspose3d(x, w, { stride: 2, padding: 1 })) as Any, { x: [1, 2, 3, 4, 3], w: [2, 3, 4, 4, 4] }],
    ["softmax", (({ x }: { x: Matrix }) => {
      const m = tensor((i) => max((j) => x(i, j)));
      return tensor((i, j) => Math.exp(x(i, j) - m(i)) / sum((k) => Math.exp(x(i, k) - m(i))));
    }) as Any, { x: [3, 5] }],
    ["values used twice, inside and outside of sums", (({ x }: { x: Matrix }) =>
      tensor((i, j) => {
        const e = Math.exp(x(i, j));
        const s = sum((k) => {
          const u = Math.exp(x(i, k) * e);
          return u * u + u;
        });
        return e * s + s * s;
      })) as Any, { x: [3, 5] }],
    ["every operator", (({ x, y }: { x: Vector; y: Vector }) => ({
      a: tensor((i) => -x(i) - (y(i) - x(i)) / (x(i) / y(i)) - Math.abs(x(i)) ** y(i) + (x(i) % y(i)) * sigmoid(-x(i))),
      "b.c": tensor((i) => Math.atan2(x(i), y(i)) + Math.hypot(x(i), y(i)) - Math.min(x(i), Math.max(y(i), -1.5e-7)) * stopGradient(x(i)) + uniform(7, i)),
      d: tensor((i) => (x(i) > 0 && (i % 2 === 0 || !(y(i) < x(i))) ? (i === 3 ? 1 : Math.floor(i / 2)) : -(-x(i) * 2))),
      e: tensor([1], (_i) => argmax((i) => x(i)) + min((i) => y(i)) + prod((i) => x(i)) + mean((i) => y(i))),
      f: x,
    })) as Any, { x: [5], y: [5] }],
    ["names of the language and of JavaScript", (({ sum: s, "conv1.weight": w, o }: { sum: Vector; "conv1.weight": Vector; o: Vector }) => ({ class: tensor((o) => s(o) + w(o)), o })) as Any, { sum: [3], "conv1.weight": [3], o: [3] }],
    ["reads that depend on data", (({ x, t }: { x: Vector; t: Vector }) => {
      const order = constant([2, 0, 1, 1]);
      return tensor([4], (i) => x(Math.min(Math.max(Math.floor(t(i)), 0), 3)) + x(order(i)) + (Math.round(t(i)) >= 0 && Math.round(t(i)) < 4 ? x(Math.round(t(i))) : -1));
    }) as Any, { x: [4], t: [4] }],
    ["nothing", (({ x }: { x: Matrix }) => ({ none: tensor([0, 2], (i, j) => x(0, j) + i), zero: tensor([2], (_i) => sum([0], (k) => x(0, k))) })) as Any, { x: [1, 2] }],
  ];
  it.each(cases)("compile back to the same normal form: %s", (_, f, shapes) => returns(f, shapes));

  it("compile back to the same function, for random programs", () => {
    let proved = 0;
    fc.assert(
      fc.property(programs(), ({ traced }) => {
        for (const program of [lower(traced), runPasses(traced)]) {
          const text = printProgram(program);
          const shapes = Object.fromEntries(traced.inputs.map((i) => [i.name, i.shape]));
          const again = trace(compilePrinted(text), shapes);
          const { verdict, message } = compareTraced(traced, again, { steps: 3e4, points: 1 });
          expect(verdict, `${message}\n${text}`).not.toBe("differs");
          if (verdict === "proved") proved++;
        }
      }),
      { numRuns: 50 },
    );
    expect(proved).toBeGreaterThan(75);
  }, 60_000);

  it("have types that the compiler of TypeScript accepts", () => {
    const source = cases.map(([, f, shapes]) => printProgram(runPasses(trace(f, shapes)))).map((text, n) => [`printed${n}.ts`, text] as const);
    const root = new URL("../../", import.meta.url).pathname;
    const options: ts.CompilerOptions = {
      strict: true, noEmit: true, target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, skipLibCheck: true, types: [],
    };
    const host = ts.createCompilerHost(options);
    const files = new Map(source.map(([name, text]) => [`${root}src/${name}`, text.replace('"indexical"', '"./dsl/index.js"')]));
    const { getSourceFile, fileExists, readFile } = host;
    host.fileExists = (name) => files.has(name) || fileExists(name);
    host.readFile = (name) => files.get(name) ?? readFile(name);
    host.getSourceFile = (name, version) => (files.has(name) ? ts.createSourceFile(name, files.get(name)!, version) : getSourceFile(name, version));
    const program = ts.createProgram([...files.keys()], options, host);
    const messages = [...files.keys()].flatMap((name) => {
      const file = program.getSourceFile(name)!;
      return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map((d) => `${name}: ${ts.flattenDiagnosticMessageText(d.messageText, "\n")}`);
    });
    expect(messages).toEqual([]);
  }, 60_000);

  it("leave long tables out, as inputs", () => {
    const table = constant(Float64Array.from({ length: 100 }, (_, i) => i));
    const { specialised } = explain(({ x }: { x: Vector }) => tensor((i) => x(i) * table(i)), { x: [100] });
    expect(specialised).toContain("({ x, constant0 }: { x: Rank1; constant0: Rank1 })");
    expect(specialised).toContain("// constant0: 100 numbers known at compile time");
  });
});

describe("explain", () => {
  it("lists ranges, pieces, cost and kernels", () => {
    const e = explain(acs, acsShapes);
    expect(e.inputs).toEqual(acsShapes);
    expect(e.output).toEqual([1, 7, 6, 6, 6]);
    expect(e.pieces).toMatchObject([
      { stage: "output", taps: 9, guards: 0, multiplyAdds: 3 * 36 * 216, domain: [{ start: 0, step: 1, extent: 1 }, { start: 0, step: 1, extent: 3 }, {}, {}, {}] },
      { stage: "output", taps: 9, guards: 0, multiplyAdds: 2 * 36 * 216 },
      { stage: "output", taps: 9, guards: 0, multiplyAdds: 2 * 36 * 216 },
    ]);
    expect(e.cost).toMatchObject({ multiplyAdds: 7 * 36 * 216, definition: { multiplyAdds: 3 * 7 * 36 * 216 }, parameters: 252 });
    expect(e.ranges.at(-1)).toMatchObject({
      name: "output",
      indices: [{ name: "n", extent: 1 }, { name: "o", extent: 7 }, { name: "d", extent: 6 }, { name: "h", extent: 6 }, { name: "v", extent: 6 }],
      reductions: [{ op: "sum", indices: [{ name: "c", extent: 4 }, { name: "i", extent: 3 }, { name: "j", extent: 3 }, { name: "k", extent: 3 }] }],
    });
    expect(e.ranges.at(-1)!.place).toMatch(/conv\.ts:\d+:\d+$/);
    expect(new Set(e.kernels.map((k) => k.device))).toEqual(new Set(devices.flatMap((d) => (d.name === "reference" ? [] : [d.name.split(":")[0]!]))));
    const json = JSON.parse(JSON.stringify(e)) as Explanation;
    expect(Object.keys(json)).toEqual(expect.arrayContaining(["inputs", "output", "pieces", "cost", "kernels"]));
    expect(json.pieces).toHaveLength(3);
  });
  it("as text", () => {
    const text = String(explain(acs, acsShapes));
    for (const part of ["inputs\n  x [1, 4, 6, 6, 6]", "as written\n", "specialised\n", "[0..1 | 0..3 | 0..6 | 0..6 | 0..6]: 9 taps, 0 guards, 23,328 multiply-adds", "multiply-adds       54,432     163,296", "kernel output"])
      expect(text).toContain(part);
  });
  it("of one device, and after one pass", () => {
    const e = explain(acs, acsShapes, { device: "gpujs:cpu", dumpAfter: "inline" });
    expect(e.kernels.every((k) => k.device === "gpujs:cpu" && k.source.length > 0)).toBe(true);
    expect(e.dump!.after).toBe("inline");
    expect(compareTraced(trace(acs as Any, acsShapes), trace(compilePrinted(e.dump!.program), acsShapes)).verdict).toBe("proved");
    expect(String(e)).toContain("after inline\n");
  });
  it("refuses names that are none", () => {
    expect(() => explain(acs, acsShapes, { dumpAfter: "splt" })).toThrow(/there is no pass splt.*\n.*Did you mean split\?/s);
    expect(() => explain(acs, acsShapes, { device: "gpujz" })).toThrow(/there is no device gpujz.*\n.*Did you mean gpujs\?/s);
  });
  it("of a compiled program", async () => {
    const compiled = await compile(acs, acsShapes, { device: "reference" });
    expect(compiled.cost().multiplyAdds).toBe(7 * 36 * 216);
    expect(compiled.explain().kernels).toEqual([]);
    expect(compiled.explain({ device: "wasm" }).kernels.length).toBeGreaterThan(0);
    compiled.dispose();
  });
  it("records and inputs that are returned unchanged", () => {
    const e = explain(({ x }: { x: Vector }) => ({ x, twice: tensor((i) => 2 * x(i)) }), { x: [3] });
    expect(e.output).toEqual({ x: [3], twice: [3] });
  });
});
