export { apply, forward, type Forward, type ForwardOptions } from "./forward.js";
export { addition, concatenate, identity, layerPart, module, network, residual, sequential, withOutputs, type Network, type Node, type Part, type Value } from "./graph.js";
export { initialise, type StateDict } from "./initialise.js";
export type { Init } from "./init.js";
export type { ConvLayer, ConvTransposeLayer, Layer as NetworkLayer, LayerParameters, Parameter, Plain, Taps, Variant, VariantLayer } from "./layer.js";
export {
  autofocusArchitectures, autofocusBasic, autofocusDouble, autofocusNetwork, autofocusSingle,
  type AutofocusArchitecture, type AutofocusBranches, type AutofocusShape,
} from "./autofocus.js";
export { convnext, convnextSizes, type ConvNextOptions } from "./convnext.js";
export { deeplabV3Plus, type DeepLabOptions } from "./deeplab.js";
export { densenet121, type DenseNetOptions } from "./densenet.js";
export { lidcClassifier, lidcFcn, type LidcBackbone, type LidcFcnOptions, type LidcOptions } from "./lidc.js";
export { meshNet, meshNetLogits, meshNetOf, meshNetwork, type AxisOrder, type MeshNetOptions, type MeshNetworkOptions, type Voxels } from "./meshnet.js";
export { mobilenetV2 } from "./mobilenet.js";
export { isP3dDepth, p3d, p3dBasic, p3dBottleneck, type P3dBlockShape, type P3dDepth, type P3dOptions } from "./p3d.js";
export { parameterCount, parameters, parameterShapes } from "./parameters.js";
export * as parts from "./parts.js";
export { resnet, resnet101, resnet152, resnet18, resnet34, resnet50, resnetBackbone, type ResNetBackbone, type ResNetOptions } from "./resnet.js";
export { describeLayer, printNetwork } from "./print.js";
export { basicBlock3d, bottleneck3d, resnet3d, resnet3dClassifier, type BlockShape, type NormKind, type ResNet3dOptions } from "./resnet3d.js";
export { fcnHead, lidcFcnHead, lidcSegmenter, unet3d, unetNeck, unetSegmenter, type FcnHeadOptions, type SegmenterOptions } from "./segmentation3d.js";
export { squeezenet11 } from "./squeezenet.js";
export { printSummary, summary, valueShapes, type InputShapes, type LayerSummary, type Summary } from "./summary.js";
export { planarDenseNet, sliceDenseNet, type SliceDenseNetOptions, type TruncatedDenseNetOptions } from "./truncated-densenet.js";
export { unet } from "./unet.js";
export { vgg11, vgg16, vggFeatures, type VggOptions } from "./vgg.js";
