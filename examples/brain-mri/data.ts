import { readFile } from "node:fs/promises";
import { readLayersModel, readNifti, shardNames, type LayersModel, type VolumeImage } from "indexical/lib";

const file = (path: string): Promise<Uint8Array> => readFile(new URL(`../../data/${path}`, import.meta.url));

/** The T1 volume, 256 x 256 x 256 voxels of 1 mm. */
export const readScan = async (): Promise<VolumeImage> => readNifti(await file("volumes/t1_crop.nii.gz"));

/** What two other runtimes gave for the same network and volume. */
export const readExpected = async (): Promise<VolumeImage> => readNifti(await file("volumes/t1_crop_meshnet5_expected.nii.gz"));

/** MeshNet's layers and weights. */
export const readModel = async (): Promise<LayersModel> => {
  const folder = "weights/meshnet/model5_gw_ae/";
  const model = await file(`${folder}model.json`);
  const shards = shardNames(model).map(async (name) => [name, await file(folder + name)] as const);
  return readLayersModel(model, new Map(await Promise.all(shards)));
};
