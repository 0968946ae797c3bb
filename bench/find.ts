import { readModel } from "../examples/brain-mri/data.js";
import { meshnetWorkload, networks, operators, type Workload } from "./workloads.js";

/** Every workload by name; `meshnet:64` is MeshNet on a smaller cube. */
export const findWorkload = async (name: string): Promise<Workload> => {
  const known = [...operators, ...networks].find((w) => w.name === name);
  if (known) return known;
  if (name.startsWith("meshnet")) {
    return meshnetWorkload(await readModel(), name.includes(":") ? Number(name.split(":")[1]) : 256);
  }
  throw new Error(`there is no workload ${name}; there are ${allNames.join(", ")}`);
};

export const allNames: readonly string[] = [...operators.map((w) => w.name), ...networks.map((w) => w.name), "meshnet"];
