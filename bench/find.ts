import { readModel } from "../examples/brain-mri/data.js";
import { workloads, type Workload } from "./workloads/index.js";
import { meshnetWorkload } from "./workloads/networks.js";

/** Every workload by name; `meshnet:64` is MeshNet on a smaller cube. */
export const findWorkload = async (name: string): Promise<Workload> => {
  const known = workloads.find((w) => w.name === name);
  if (known) return known;
  if (/^meshnet(:\d+)?$/.test(name)) return meshnetWorkload(await readModel(), name.includes(":") ? Number(name.split(":")[1]) : 256);
  throw new Error(`there is no workload ${name}; there are ${allNames.join(", ")}`);
};

export const allNames: readonly string[] = [...workloads.map((w) => w.name), "meshnet"];
