export { meshNet, meshNetLogits, type AxisOrder, type MeshNetOptions, type Voxels } from "./meshnet.js";
export { acs, dense, planar, resnet, resnetShapes, type ConvolutionOf, type ResNetOptions } from "./resnet.js";
