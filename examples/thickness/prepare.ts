// Makes the two small scans of this example from the originals, ct_head_ge_4mm.nii.gz and ct_head_ge_7mm.nii.gz of neurolabusc/dcm_qa_ct:
//   node scripts/run.mjs examples/thickness/prepare.ts FOLDER
// Pixels are halved by the mean of 2 x 2, and the same box around the head is kept of both, so that their grids agree in the plane.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { box, readNifti, resample, writeNifti } from "indexical/lib";

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error("usage: prepare.ts FOLDER");
for (const name of ["4mm", "7mm"]) {
  const scan = readNifti(await readFile(join(folder, `ct_head_ge_${name}.nii.gz`)));
  const [x, y] = scan.spacing;
  const half = resample(scan, [2 * x, 2 * y, null], { size: [256, 256, scan.shape[2]] }).image;
  const { image } = box(half, [23, 21, 0], [208, 208, scan.shape[2]]);
  const path = new URL(`../../data/volumes/ct_head_${name}.nii.gz`, import.meta.url);
  await writeFile(path, writeNifti({ ...image, data: Int16Array.from(image.data, Math.round) }, { gzip: true }));
  console.log(`${path.pathname}: ${image.shape.join(" x ")}`);
}
