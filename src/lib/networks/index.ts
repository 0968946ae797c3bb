export { meshNet, meshNetLogits, type AxisOrder, type MeshNetOptions, type Voxels } from "./meshnet.js";
