// Segments the grey and the white matter of a brain MRI with MeshNet, written in the language and compiled now.
//   npm start
//   npm start -- --device gpujs:webgpu --out results
import { mkdir, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { SingleBar } from "cli-progress";
import { compile, cost } from "indexical";
import { encodePng, meshNet, montage, writeNifti, type Voxels } from "indexical/lib";
import { readExpected, readModel, readScan } from "./data.js";
import { agreement, classes, normalised } from "./labels.js";
import { compareVariants, type VariantRow } from "./variants.js";

const { values: options } = parseArgs({
  options: { device: { type: "string", default: "auto" }, out: { type: "string", default: "out" } },
});
const { device, out } = options;
const begun = performance.now();
const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;

const bar = process.stderr.isTTY ? new SingleBar({ format: "{label} {bar} {percentage}% | {duration_formatted}", hideCursor: true, clearOnComplete: true, stream: process.stderr }) : undefined;
const scan = await readScan();
const model = await readModel();

// The volume stays in the order of the file, [k][j][i]: the kernels are turned instead.
const shape = [...scan.shape].reverse();
const segment = ({ x }: { x: Voxels }): Voxels => meshNet(x, model, { axes: "kji" });
const compiling = performance.now();
const program = await compile(segment, { x: shape }, { device });
console.log(`MeshNet on ${scan.shape.join(" x ")} voxels: ${(cost(segment, { x: shape }).multiplyAdds / 1e9).toFixed(1)} G multiply-adds, compiled for ${program.device} in ${seconds(compiling)}`);

const running = performance.now();
bar?.start(1, 0, { label: "MeshNet" });
const { data } = await program.run({ x: normalised(scan.data) }, { onProgress: (done, total) => (bar?.setTotal(total), bar?.update(done)) });
bar?.stop();
program.dispose();
const took = seconds(running);
const labels = Uint8Array.from(data);

await mkdir(out, { recursive: true });
const save = async (name: string, bytes: Uint8Array): Promise<void> => {
  await writeFile(join(out, name), bytes);
  console.log(`wrote ${relative(".", join(out, name))}`);
};
await save("labels.nii.gz", writeNifti({ ...scan, data: labels }, { gzip: true }));
await save("montage.png", encodePng(montage({ volume: scan, labels, names: classes.slice(1), columns: 3 })));

const { equal, total, perClass } = agreement(labels, (await readExpected()).data);
console.log(`\nclass           voxels      expected    Dice`);
perClass.forEach(({ voxels, expected, dice }, c) => console.log(`${classes[c].padEnd(14)}  ${String(voxels).padEnd(10)}  ${String(expected).padEnd(10)}  ${dice.toFixed(6)}`));
console.log(`equal to what was expected: ${equal} of ${total} voxels, ${((100 * equal) / total).toFixed(4)} %`);

const table = (title: string, rows: readonly VariantRow[]): void => {
  console.log(`\n${title}\nas     parameters  multiply-adds  of dense  additions  median ms`);
  for (const { name, parameters, multiplyAdds, additions, ms } of rows) {
    const share = (multiplyAdds / rows[0].multiplyAdds).toFixed(3);
    console.log(`${name.padEnd(5)}  ${String(parameters).padEnd(10)}  ${String(multiplyAdds).padEnd(13)}  ${share.padEnd(8)}  ${String(additions).padEnd(9)}  ${ms.toFixed(1)}`);
  }
};
const extent = 96;
bar?.start(12, 0, { label: "variants" });
const first = await compareVariants(1, 5, extent, device, () => bar?.increment());
const inner = await compareVariants(5, 5, extent, device, () => bar?.increment());
bar?.stop();
table(`MeshNet's first layer, 1 to 5 channels, on ${extent}^3`, first);
table(`An inner layer, 5 to 5 channels, on ${extent}^3`, inner);

console.log(`\nsegmented in ${took}, all in ${seconds(begun)}, peak memory ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`);
if (equal < 0.9999 * total) {
  console.error("fewer than 99.99 % of the voxels agree");
  process.exitCode = 1;
}
