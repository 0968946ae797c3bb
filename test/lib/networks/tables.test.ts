// Parameters and multiply-adds of the published networks, as their papers and codes state them.
import { describe, expect, it } from "vitest";
import { convert, converters } from "../../../src/lib/index.js";
import {
  autofocusArchitectures, autofocusNetwork, convnext, convnextSizes, densenet121, lidcClassifier, lidcFcn, mobilenetV2, p3d, parameterCount, parameters, resnet3d,
  resnet3dClassifier, resnet18, resnet34, resnet50, resnet101, sliceDenseNet, squeezenet11, summary, unet, unet3d, unetSegmenter, vgg11, vgg16, vggFeatures,
  type LidcBackbone, type Network, type P3dDepth,
} from "../../../src/lib/networks/index.js";

const { acs, conv25d, conv3d, i3d, softAcs } = converters;
const by = (net: Network, converter: Parameters<typeof convert>[1]): Network => convert(net, converter).network;

/** Multiply-adds in units of 10^9, as many decimals as are stated. */
const giga = (net: Network, shape: readonly number[], decimals: number): number => {
  const shapes = net.inputs.includes("thickness") ? { x: shape, thickness: [shape[0]] } : shape;
  return Number((summary(net, shapes).multiplyAdds / 1e9).toFixed(decimals));
};

describe("parameters of the 2D networks, and of what ACS, 2.5D and mean ACS make of them", () => {
  it.each<[string, () => Network, number]>([
    ["ResNet-18", () => resnet18(), 11_689_512],
    ["ResNet-34", () => resnet34(), 21_797_672],
    ["ResNet-50", () => resnet50(), 25_557_032],
    ["ResNet-101", () => resnet101(), 44_549_160],
    ["DenseNet-121", () => densenet121(), 7_978_856],
    ["VGG-16", () => vgg16(), 138_357_544],
    ["VGG-16 with batch norm", () => vgg16({ batchNorm: true }), 138_365_992],
    ["VGG-16's convolutions", () => vggFeatures(16), 14_714_688],
    ["VGG-16's convolutions with batch norm", () => vggFeatures(16, { batchNorm: true }), 14_723_136],
    ["VGG-11 with batch norm", () => vgg11({ batchNorm: true }), 132_868_840],
    ["VGG-11's convolutions with batch norm", () => vggFeatures(11, { batchNorm: true }), 9_225_984],
    ["SqueezeNet 1.1", () => squeezenet11(), 1_235_496],
    ["MobileNetV2", () => mobilenetV2(), 3_504_872],
    ["U-Net of 3 classes", () => unet(), 389_187],
    ["U-Net of 6 classes", () => unet({ classes: 6 }), 389_286],
    ["ConvNeXt tiny", () => convnext(convnextSizes.tiny), 28_589_128],
    ["ConvNeXt small", () => convnext(convnextSizes.small), 50_223_688],
    ["ConvNeXt base", () => convnext(convnextSizes.base), 88_591_464],
  ])("%s", (_, build, count) => {
    const net = build();
    expect(parameterCount(net)).toBe(count);
    for (const converter of [acs(), conv25d(), softAcs({ mean: true })]) expect(parameterCount(by(net, converter))).toBe(count);
  });

  it.each<[string, () => Network, number]>([
    ["ResNet-18", () => resnet18(), 33_716_904],
    ["ResNet-34", () => resnet34(), 64_026_536],
    ["ResNet-50", () => resnet50(), 48_247_976],
    ["DenseNet-121", () => densenet121(), 12_311_528],
    ["U-Net of 6 classes", () => unet({ classes: 6 }), 1_164_582],
  ])("%s with 3D kernels", (_, build, count) => {
    expect(parameterCount(by(build(), i3d()))).toBe(count);
    expect(parameterCount(by(build(), conv3d()))).toBe(count);
  });

  it("ResNet-18 with soft ACS", () => expect(parameterCount(by(resnet18(), softAcs()))).toBe(11_703_912));

  it.each<[LidcBackbone, number, number, number, number]>([
    ["resnet18", 12_389_442, 35_596_482, 11_177_538, 33_204_930],
    ["densenet121", 7_309_250, 11_660_354, 6_953_858, 11_286_530],
    ["vgg16", 14_949_506, 44_388_866, 14_724_162, 44_145_090],
  ])("the nodule networks with %s", (backbone, fcn, fcn3d, classifier, classifier3d) => {
    expect(parameterCount(lidcFcn({ backbone }))).toBe(fcn);
    expect(parameterCount(by(lidcFcn({ backbone }), i3d()))).toBe(fcn3d);
    expect(parameterCount(lidcClassifier({ backbone }))).toBe(classifier);
    expect(parameterCount(by(lidcClassifier({ backbone }), i3d()))).toBe(classifier3d);
  });
});

describe("parameters of the 3D networks", () => {
  it.each([
    [3, 9_308_928, 9_539_625],
    [7, 14_813_952, 16_039_209],
  ])("truncated DenseNet-121 on %i slices", (slices, shifted, mixed) => {
    expect(parameterCount(sliceDenseNet({ slices, out: 512 }))).toBe(shifted);
    expect(parameterCount(sliceDenseNet({ slices, out: 512, mixing: "tsm" }))).toBe(shifted);
    expect(parameterCount(sliceDenseNet({ slices, out: 512, mixing: "a3d" }))).toBe(mixed);
  });
  it.each([
    [18, 33_160_000],
    [34, 63_469_632],
    [50, 46_155_072],
  ] as const)("ResNet3D-%i", (depth, count) => expect(parameterCount(resnet3d({ depth, channels: 1 }))).toBe(count));
  it("ResNet3D-18 with its classifier", () => expect(parameterCount(resnet3dClassifier({ channels: 1 }))).toBe(33_673_000));
  it.each<[P3dDepth, number]>([["18ba", 15_257_536], ["34ba", 28_346_816], ["18", 16_032_704], ["63", 27_281_728], ["131", 49_624_896], ["199", 68_028_736]])("P3D-%s", (depth, count) =>
    expect(parameterCount(p3d({ depth }))).toBe(count));
  it("the U-Net neck, and UNet3D", () => {
    const neck = Object.entries(parameters(unetSegmenter())).filter(([name, { buffer }]) => name.startsWith("neck.") && !buffer);
    expect(neck.reduce((n, [, { shape }]) => n + shape.reduce((a, b) => a * b), 0)).toBe(7_478_272);
    expect(parameterCount(unet3d({ classes: 2 }))).toBe(19_073_730);
  });
  it("the autofocus networks", () => {
    const counts = autofocusArchitectures.map((name) => [name, parameterCount(autofocusNetwork(name))]);
    expect(Object.fromEntries(counts)).toEqual({ Basic: 315_725, ASPP_c: 478_435, ASPP_s: 967_330, AFN1: 349_904, AFN2: 371_908, AFN3: 393_852, AFN4: 415_796, AFN5: 437_740, AFN6: 450_209 });
  });
});

describe("multiply-adds, in units of 10^9", () => {
  it.each<[string, () => Network, readonly number[], number]>([
    ["ResNet-18", () => resnet18(), [1, 3, 224, 224], 1.8141],
    ["ResNet-18, ACS", () => by(resnet18(), acs()), [1, 3, 64, 64, 64], 1.3825],
    ["ResNet-18, 2.5D", () => by(resnet18(), conv25d()), [1, 3, 64, 64, 64], 1.3825],
    ["ResNet-18, I3D", () => by(resnet18(), i3d()), [1, 3, 64, 64, 64], 5.365],
    ["ResNet-18, soft ACS", () => by(resnet18(), softAcs()), [1, 3, 64, 64, 64], 4.1466],
    ["ResNet-18, mean ACS", () => by(resnet18(), softAcs({ mean: true })), [1, 3, 64, 64, 64], 4.1466],
    ["ResNet-34", () => resnet34(), [1, 3, 224, 224], 3.6638],
    ["ResNet-34, ACS", () => by(resnet34(), acs()), [1, 3, 64, 64, 64], 2.3263],
    ["ResNet-50", () => resnet50(), [1, 3, 224, 224], 4.0892],
    ["ResNet-50, ACS", () => by(resnet50(), acs()), [1, 3, 64, 64, 64], 2.5815],
    ["DenseNet-121", () => densenet121(), [1, 3, 224, 224], 2.8342],
    ["VGG-16", () => vgg16(), [1, 3, 224, 224], 15.4703],
    ["VGG-16's convolutions, ACS", () => by(vggFeatures(16), acs()), [1, 3, 32, 32, 32], 3.3596],
    ["VGG-11's convolutions, ACS", () => by(vggFeatures(11), acs()), [1, 3, 32, 32, 32], 1.0758],
    ["U-Net of 6 classes, ACS", () => by(unet({ classes: 6 }), acs()), [1, 1, 48, 48, 48], 9.0031],
    ["U-Net of 6 classes, 2.5D", () => by(unet({ classes: 6 }), conv25d()), [1, 1, 48, 48, 48], 9.0031],
    ["U-Net of 6 classes, 3D", () => by(unet({ classes: 6 }), conv3d()), [1, 1, 48, 48, 48], 26.9668],
    ["ACSUNet of 3 classes", () => by(unet(), acs()), [1, 1, 64, 64, 64], 21.3155],
    ["U-Net of 3 classes", () => unet(), [1, 1, 48, 48], 0.2882],
    ["nodule FCN, ResNet-18, ACS", () => by(lidcFcn(), acs()), [1, 3, 48, 48, 48], 170.485],
    // Stated as 439.686, which is this rounded once more.
    ["nodule FCN, ResNet-18, I3D", () => by(lidcFcn(), i3d()), [1, 3, 48, 48, 48], 439.6855],
    ["nodule classifier, ResNet-18, ACS", () => by(lidcClassifier(), acs()), [1, 3, 48, 48, 48], 68.08],
    ["ConvNeXt tiny", () => by(convnext(convnextSizes.tiny), acs()), [1, 3, 32, 32, 32], 0.2908],
    ["truncated DenseNet-121, AlignShift, 3 slices of 64^2", () => sliceDenseNet({ out: 512 }), [1, 1, 3, 64, 64], 0.8336],
    ["truncated DenseNet-121, TSM, 3 slices of 512^2", () => sliceDenseNet({ out: 512, mixing: "tsm" }), [1, 1, 3, 512, 512], 53.35],
    ["truncated DenseNet-121, AlignShift, 7 slices of 64^2", () => sliceDenseNet({ out: 512, slices: 7 }), [1, 1, 7, 64, 64], 1.8667],
    ["truncated DenseNet-121, TSM, 7 slices of 512^2", () => sliceDenseNet({ out: 512, slices: 7, mixing: "tsm" }), [1, 1, 7, 512, 512], 119.47],
    ["ResNet3D-18, an image", () => resnet3d({ channels: 1 }), [1, 3, 224, 224], 15.97],
    ["ResNet3D-18, a volume", () => resnet3d({ channels: 1, depthStride: true }), [1, 1, 48, 48, 48], 1.7714],
    ["P3D-18ba", () => p3d({ depth: "18ba" }), [1, 1, 9, 64, 64], 0.8924],
    ["P3D-63", () => p3d(), [1, 1, 9, 64, 64], 1.521],
  ])("%s", (_, build, shape, stated) => {
    const decimals = String(stated).split(".")[1].length;
    expect(giga(build(), shape, decimals)).toBe(stated);
  });

  it.each([
    ["Basic", 61.27, 1.962], ["ASPP_c", 78.12, 1.982], ["ASPP_s", 128.77, 2.043], ["AFN1", 86.28, 1.999], ["AFN2", 110.99, 2.146],
    ["AFN3", 136.57, 2.504], ["AFN4", 168.11, 3.289], ["AFN5", 206.47, 4.753], ["AFN6", 239.71, 6.512],
  ] as const)("%s on 75^3 and on 33^3", (name, large, small) => {
    const net = autofocusNetwork(name);
    expect(giga(net, [1, 4, 75, 75, 75], 2)).toBe(large);
    expect(giga(net, [1, 4, 33, 33, 33], 3)).toBe(small);
    expect(summary(net, [1, 4, 75, 75, 75]).outputs).toEqual([[1, 5, 47, 47, 47]]);
  });
});

describe("shapes", () => {
  it("of ResNet3D-18 on an image, whose depth stays 3", () =>
    expect(summary(resnet3d({ channels: 1, outputs: [0, 1, 2, 3] }), [1, 3, 224, 224]).outputs).toEqual([[1, 64, 3, 56, 56], [1, 128, 3, 28, 28], [1, 256, 3, 14, 14], [1, 512, 3, 7, 7]]));
  it("of P3D-18ba on nine slices", () =>
    expect(summary(p3d({ depth: "18ba" }), [1, 1, 9, 64, 64]).outputs).toEqual([[1, 64, 16, 16], [1, 128, 8, 8], [1, 256, 4, 4], [1, 512, 2, 2]]));
  it("of the segmenters, at the extents of the input", () => {
    for (const net of [unetSegmenter({ classes: 14 }), unetSegmenter({ classes: 14, stemStride: true })]) expect(summary(net, [1, 1, 32, 32, 64]).outputs).toEqual([[1, 14, 32, 32, 64]]);
    expect(summary(unet3d({ classes: 2 }), [1, 1, 16, 24, 32]).outputs).toEqual([[1, 2, 16, 24, 32]]);
  });
});
