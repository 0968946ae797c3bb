import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isGpu, type CaseResult } from "../../src/cli/goldens/run.js";
import { readSafetensors, writeSafetensors, type Arrays } from "../../src/lib/formats/index.js";
import { small } from "../support/kinds.js";
import { call, describeGoldensOn, folder, type Report } from "./goldens-on.js";

for (const device of ["reference", "gpujs:cpu", "gpujs:webasm"]) describeGoldensOn(device);
describeGoldensOn("wasm", { networks: true });

describe("the cases of the repository on wasm, networks apart", () => {
  it("pass in one, two and four threads, with the same errors to the last bit", async () => {
    const reports = [];
    for (const threads of [1, 2, 4]) reports.push(JSON.parse((await call(folder, "--device", "wasm", "--kinds", small.join(), "--threads", String(threads), "--json")).out.join("\n")) as Report);
    const how = (report: Report): ReadonlySet<string> => new Set(report.cases.filter((c) => c.devices.length > 0).flatMap((c) => c.why));
    expect(reports.map((r) => r.failed)).toEqual([0, 0, 0]);
    expect(reports.map((r) => [...how(r)])).toEqual([["as asked; one thread, as asked"], ["as asked; 2 threads"], ["as asked; 4 threads"]]);
    const errors = reports.map((r) => r.cases.map((c) => [c.id, c.status, c.error]));
    expect(errors[1]).toEqual(errors[0]);
    expect(errors[2]).toEqual(errors[0]);
  }, 240_000);

  it("of no kind are not run", async () => {
    expect(await call(folder, "--kinds", "nothing")).toMatchObject({ code: 2, err: [`the folder ${folder} holds no cases of kind nothing`] });
  });

  it("are not run in no threads", async () => {
    for (const wrong of ["0", "1.5", "some"]) expect(await call(folder, "--threads", wrong)).toMatchObject({ code: 2, err: [`--threads ${wrong} is no number of threads`] });
  });
});

describe("other folders", () => {
  let work: string;
  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), "goldens-"));
  });
  afterAll(() => rm(work, { recursive: true }));

  /** Runs a changed copy of one case, alone in a folder. */
  const changed = async (
    id: string,
    change: (description: Record<string, unknown>, arrays: Arrays) => void,
  ): Promise<{ code: number; result: CaseResult }> => {
    const alone = await mkdtemp(join(work, "case-"));
    const description = JSON.parse(await readFile(join(folder, `${id}.json`), "utf8")) as Record<string, unknown>;
    const arrays = readSafetensors(new Uint8Array(await readFile(join(folder, `${id}.safetensors`))));
    change(description, arrays);
    await writeFile(join(alone, `${id}.json`), JSON.stringify(description));
    await writeFile(join(alone, `${id}.safetensors`), writeSafetensors(arrays));
    const { code, out } = await call(alone, "--device", "reference", "--json");
    return { code, result: (JSON.parse(out.join("\n")) as Report).cases[0] };
  };

  it("a wrong number fails, and is shown", async () => {
    const { code, result } = await changed("acs_k1", (_, arrays) => {
      arrays["output"].data[7] = 1000;
    });
    expect(code).toBe(1);
    expect(result.status).toBe("failed");
    expect(result.reason).toMatch(/^output at element 7 is -?[\d.]+; 1000 is expected$/);
    expect(result.error).toBeGreaterThan(result.tolerance!);
  });
  it("a result that is not a number fails", async () => {
    const { result } = await changed("acs_k1", (_, arrays) => {
      arrays["input.x"].data[0] = NaN;
    });
    expect(result.status).toBe("failed");
  });
  it("every output of a case with many is compared", async () => {
    for (const id of [
      "primitives",
      "seg_losses_metrics",
      "detection_parts",
      "optimizers",
      "lidc_transform",
      "vdt_transform",
      "mauc",
      "recipe_selftest",
      "poc_samples_2d",
    ]) {
      const names = Object.keys(readSafetensors(new Uint8Array(await readFile(join(folder, `${id}.safetensors`))))).filter((name) =>
        /^(output|param\.conv1|label)/.test(name),
      );
      // The first and the last stand for all of them: each goes through the same comparison.
      for (const name of [names[0], names.at(-1)!]) {
        const { result } = await changed(id, (_, arrays) => {
          arrays[name].data[0] = Number(arrays[name].data[0]) + 1;
        });
        expect([id, name, result.status, result.reason]).toEqual([id, name, "failed", expect.stringContaining(name)]);
      }
    }
  }, 60_000);
  it("learning rates are compared", async () => {
    const { result } = await changed("optimizers", (description) => {
      (description["schedules"] as Record<string, number[]>)["cosine_lr0.1_100"][3] *= 1.001;
    });
    expect(result).toMatchObject({ status: "failed", reason: expect.stringContaining("cosine_lr0.1_100 at 3") });
  });
  it("images without the logged shapes fail", async () => {
    const { result } = await changed("poc_samples_2d", (_, arrays) => {
      arrays["image"].data.fill(0 as never);
    });
    expect(result).toMatchObject({ status: "failed", reason: expect.stringContaining("of the noise") });
  });
  it("an output that has no meaning here is not passed over", async () => {
    const { code, result } = await changed("primitives", (_, arrays) => {
      arrays["output.fancy_norm"] = arrays["output.gelu"];
    });
    expect(result).toMatchObject({ status: "skipped", reason: "not mapped: output.fancy_norm" });
    expect(code).toBe(0);
  });
  it("an argument that has no meaning here is not passed over", async () => {
    const { result } = await changed("acs_k1", (description) => {
      (description["ctor"] as Record<string, unknown>)["sparsity"] = 0.5;
    });
    expect(result).toMatchObject({ status: "skipped", reason: "no meaning is known here for sparsity = 0.5 of ctor of acs_k1.json" });
  });
  it("kinds and operators that are not known are skipped", async () => {
    expect((await changed("acs_k1", (d) => void (d["op"] = "ACSConv9"))).result).toMatchObject({
      status: "skipped",
      reason: "no op called ACSConv9 of ACSConv is known",
    });
    expect((await changed("acs_k1", (d) => void (d["op"] = "constructor"))).result.status).toBe("skipped");
    expect((await changed("acs_k1", (d) => void (d["kind"] = "prophecy"))).result).toMatchObject({
      status: "skipped",
      reason: "the kind prophecy is not known",
    });
  });
  it("what no case can say fails with its reason", async () => {
    expect((await changed("acs_k1", (_, arrays) => void delete arrays["param.weight"])).result).toMatchObject({
      status: "failed",
      reason: "acs_k1.safetensors has no tensor param.weight",
    });
    expect((await changed("acs_k1", (_, arrays) => void delete arrays["output"])).result.status).toBe("failed");
    expect((await changed("acs_k1", (d) => void (d["tolerance"] = { rtol: "loose", atol: 1 }))).result).toMatchObject({
      status: "failed",
      reason: expect.stringContaining("rtol"),
    });
    expect((await changed("acs_k1", (d) => void (d["tolerance"] = { rtol: 0, atol: Infinity }))).result.status).toBe("failed");
    expect((await changed("acs_k1", (d) => void ((d["ctor"] as Record<string, unknown>)["out_channels"] = 5))).result).toMatchObject({
      status: "failed",
      reason: "param.weight has shape [4, 5, 1, 1]; the arguments ask for [5, 5, 1, 1]",
    });
  });
  it("files that are missing or broken fail, and do not stop the others", async () => {
    const mixed = await mkdtemp(join(work, "mixed-"));
    for (const ending of ["json", "safetensors"]) await copyFile(join(folder, `acs_k1.${ending}`), join(mixed, `acs_k1.${ending}`));
    await copyFile(join(folder, "acs_k3_p1.json"), join(mixed, "without_tensors.json"));
    await copyFile(join(folder, "acs_k3_p1.safetensors"), join(mixed, "without_description.safetensors"));
    await copyFile(join(folder, "acs_k3_p1.json"), join(mixed, "cut.json"));
    await writeFile(join(mixed, "cut.safetensors"), (await readFile(join(folder, "acs_k3_p1.safetensors"))).subarray(0, 5000));
    await copyFile(join(folder, "acs_k3_p1.safetensors"), join(mixed, "garbled.safetensors"));
    await writeFile(join(mixed, "garbled.json"), "{ not json");
    await writeFile(join(mixed, "INDEX.md"), "no case");
    const { code, out } = await call(mixed, "--device", "reference");
    expect(code).toBe(1);
    expect(out.at(-1)).toBe("1 passed, 4 failed, 0 skipped");
    expect(out.filter((line) => line.startsWith("failed")).map((line) => line.split(/\s+/)[1])).toEqual([
      "cut",
      "garbled",
      "without_description",
      "without_tensors",
    ]);
  });
  it("is called wrongly", async () => {
    expect((await call()).code).toBe(2);
    expect((await call(join(work, "nowhere"))).code).toBe(2);
    expect((await call(folder, "--devise", "reference")).err.join()).toContain("--device");
    const unknown = await call(folder, "--device", "abacus");
    expect(unknown.code).toBe(2);
    expect(unknown.err.join()).toContain("there is no device abacus");
    expect((await call(await mkdtemp(join(work, "empty-")))).code).toBe(2);
    expect((await call("--help")).code).toBe(0);
  });
});

it("tells which devices compute on a GPU", () => {
  expect(["gpujs:webgpu", "gpujs:webgl2", "gpujs:headlessgl", "webgpu"].every(isGpu)).toBe(true);
  expect(["reference", "wasm", "gpujs:webasm", "gpujs:cpu"].some(isGpu)).toBe(false);
});
