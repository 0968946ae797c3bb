import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compile } from "../../../src/index.js";
import { readOnnx, writeOnnx } from "../../../src/lib/formats/onnx.js";
import { importOnnx } from "../../../src/lib/onnx/index.js";
import { cases, modelOf } from "./cases.js";
import { runOnnx, runtime } from "./runtime.js";

type Expected = Record<string, Record<string, { shape: readonly number[]; data: number[] }>>;

/** What ONNX Runtime gives for each case; written anew by a run with REGENERATE=1 where it is installed. */
const file = new URL("samples/operators.json", import.meta.url);
if (process.env["REGENERATE"] && runtime) {
  const all: Expected = {};
  for (const one of cases) {
    const { model, data } = modelOf(one);
    try {
      const results = await runOnnx(model, data);
      all[one.name] = Object.fromEntries(Object.entries(results).map(([name, { shape, data: values }]) => [name, { shape, data: values.map((v) => Number(v.toPrecision(8))) }]));
    } catch (error) {
      throw new Error(`${one.name}: ${String(error)}`, { cause: error });
    }
  }
  writeFileSync(file, `${JSON.stringify(all)}\n`);
}
const expected: Expected = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Expected) : {};

describe("operators agree with ONNX Runtime", () => {
  test.each(cases)("$name", async (one) => {
    const { model, data } = modelOf(one);
    const net = importOnnx(readOnnx(writeOnnx(model)));
    const compiled = await compile(net.program, net.shapes, { device: "reference" });
    const results = await compiled.run({ ...net.weights, ...data });
    expect(Object.keys(expected[one.name])).toEqual(Object.keys(results));
    for (const [name, { shape, data: values }] of Object.entries(expected[one.name])) {
      expect(results[name].shape).toEqual(shape);
      results[name].data.forEach((value, n) => expect(Math.abs(value - values[n]), `element ${n}: ${value} and ${values[n]}`).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(values[n]))));
    }
  });

  test.skipIf(!runtime)("and the samples are what the installed one gives (needs bench/.peers)", async () => {
    for (const one of cases.filter((_, n) => n % 10 === 0)) {
      const { model, data } = modelOf(one);
      for (const [name, { data: values }] of Object.entries(await runOnnx(model, data))) values.forEach((value, n) => expect(Math.abs(value - expected[one.name][name].data[n])).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(value))));
    }
  });
});
