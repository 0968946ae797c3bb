import { convert, converters } from "../../../lib/index.js";
import {
  autofocusArchitectures, autofocusNetwork, convnext, convnextSizes, isP3dDepth, lidcClassifier, lidcFcn, p3d, planarDenseNet, resnet3d, sliceDenseNet, unet, unet3d,
  unetSegmenter, type AutofocusArchitecture, type Network, type ResNet3dOptions,
} from "../../../lib/networks/index.js";
import type { Family, Runner } from "../family.js";
import { malformed, unmapped, type Fields } from "../fields.js";
import { runNetwork, stateFor } from "./networks.js";
import { normOf } from "./norms.js";
import { backboneOf, classesOf, sourceOf, torchvisionNames } from "./sources.js";

/** Runs a network with the parameters of the case. */
const model =
  (build: (ctor: Fields) => Network): Runner =>
  async (golden, machine) => {
    golden.ctor.ignore("pretrained", "memory_efficient", "inplace");
    const net = build(golden.ctor);
    return runNetwork(golden, machine, net, stateFor(golden, net));
  };

const acs = (net: Network): Network => convert(net, converters.acs()).network;

const convnextOf = (sizes: { readonly depths?: readonly number[]; readonly dims?: readonly number[] }) => (ctor: Fields): Network => {
  // Only training leaves blocks out; the scale of the head is in its weights.
  ctor.ignore("drop_path_rate", "head_init_scale", "in_22k");
  const given = { ...(ctor.has("depths") ? { depths: ctor.numbers("depths") } : {}), ...(ctor.has("dims") ? { dims: ctor.numbers("dims") } : {}) };
  return acs(convnext({ ...sizes, ...given, ...classesOf(ctor), channels: ctor.number("in_chans", 3), layerScale: ctor.number("layer_scale_init_value", 1e-6) }));
};

const lidcModels: Family = Object.fromEntries([["resnet", "ResNet", "resnet18"], ["densenet", "DenseNet", "densenet121"], ["vgg", "VGG", "vgg16"]].flatMap(([file, name, backbone]) => [
  [`acsconv.models.${file}.FCN${name}`, model((ctor) => acs(lidcFcn({ backbone: backboneOf(ctor.string("backbone", backbone)), ...classesOf(ctor) })))],
  [`acsconv.models.${file}.Cls${name}`, model((ctor) => acs(lidcClassifier({ backbone: backboneOf(ctor.string("backbone", backbone)), ...classesOf(ctor) })))],
]));

const acsconv: Family = {
  ACSUNet: model((ctor) => acs(unet(classesOf(ctor)))),
  "UNet(2D)": model((ctor) => unet(classesOf(ctor))),
  ConvNeXt: model(convnextOf({})),
  convnext_tiny: model(convnextOf(convnextSizes.tiny)),
  convnext_small: model(convnextOf(convnextSizes.small)),
  convnext_base: model(convnextOf(convnextSizes.base)),
  ...lidcModels,
  ...Object.fromEntries(torchvisionNames.map((name) => [`torchvision.${name}`, model((ctor) => {
    ctor.ignore("model");
    return sourceOf(name, ctor);
  })])),
};

const truncated = (mixing: "alignShift" | "tsm" | "a3d") =>
  model((ctor) => {
    const finest = finestOf(ctor, 1);
    const thickness = mixing === "alignShift" ? { refThickness: ctor.number("ref_thickness", 2) } : {};
    const fold = mixing === "a3d" ? {} : { nFold: ctor.number("n_fold", 8) };
    return sliceDenseNet({ mixing, finest, slices: ctor.number("n_cts", 3), out: ctor.number("out_dim", 256), ...thickness, ...fold });
  });

const finestOf = (ctor: Fields, fallback: number): 1 | 2 => {
  const finest = ctor.number("fpn_finest_layer", fallback);
  return finest === 1 || finest === 2 ? finest : unmapped(`fpn_finest_layer ${finest}`);
};

const alignshift: Family = {
  DenseNetCustomTrunc3dAlign: truncated("alignShift"),
  DenseNetCustomTrunc3dTSM: truncated("tsm"),
  DenseNetCustomTrunc3dA3D: truncated("a3d"),
  DenseNetCustomTrunc: model((ctor) => planarDenseNet({ out: ctor.number("out_dim", 256), slices: ctor.number("in_channels", 3), finest: finestOf(ctor, 1) })),
};

const depths = [18, 34, 50, 101, 152] as const;

const resnet3dOptions = (ctor: Fields): ResNet3dOptions => {
  ctor.ignore("frozen_stages", "conv_cfg", "norm_eval", "with_cp", "zero_init_residual", "type", "pretrained", "num_classes");
  const depth = depths.find((d) => d === ctor.number("depth", 18)) ?? unmapped(`ResNet3D of depth ${ctor.number("depth")}`);
  const [shortcut, style] = [ctor.string("shortcut_type", "B"), ctor.string("style", "pytorch")];
  if (shortcut !== "A" && shortcut !== "B") return malformed(`shortcut_type is ${shortcut}`);
  if (style !== "pytorch" && style !== "caffe") return malformed(`style is ${style}`);
  return {
    depth, shortcut, style,
    channels: ctor.number("in_channels", 3),
    stemChannels: ctor.number("stem_channels", 64),
    width: ctor.number("base_channels", 64),
    stages: ctor.number("num_stages", 4),
    depthStride: ctor.boolean("depth_stride", false),
    stemStride: ctor.boolean("stem_stride", true),
    strides: ctor.numbers("strides", [1, 2, 2, 2]),
    dilations: ctor.numbers("dilations", [1, 1, 1, 1]),
    outputs: ctor.numbers("out_indices", [3]),
    deepStem: ctor.boolean("deep_stem", false),
    averageDown: ctor.boolean("avg_down", false),
    norm: normOf(ctor, "batch"),
    ...(ctor.has("expansion") ? { expansion: ctor.number("expansion") } : {}),
  };
};

/** The arguments of a part: in an object of their own, as the originals configure it, or beside those of the other parts. */
const partOf = (ctor: Fields, name: string): Fields => (ctor.has(name) && !ctor.isText(name) ? ctor.fields(name) : ctor);

const segmenter = (ctor: Fields): Network => {
  const [backbone, head] = [partOf(ctor, "backbone"), partOf(ctor, "decode_head")];
  partOf(ctor, "neck").ignore("in_channels", "type");
  ctor.ignore("type", "neck", "model", "unet_mode", "mode");
  head.ignore("in_channels", "in_index", "concat_input", "dropout_ratio", "align_corners", "loss_decode", "norm_cfg", "conv_cfg", "type");
  // In this mode the stem keeps the extents; otherwise the logits are made larger at the end.
  const full = backbone.boolean("stdunet_mode", true) && backbone.boolean("std_unet", true);
  const { outputs: _outputs, stages: _stages, ...options } = resnet3dOptions(backbone);
  const classes = head.has("num_classes") ? head.number("num_classes") : ctor.number("num_classes", 2);
  // The stem of this backbone takes one channel whatever it is told, and strides count on every axis.
  return unetSegmenter({ ...options, channels: 1, depthStride: true, stemStride: !full, stemPool: true, classes, inner: head.number("channels", 16), convs: head.number("num_convs", 2) });
};

const vdt: Family = {
  ResNet3D: model((ctor) => resnet3d(resnet3dOptions(ctor))),
  P3D: model((ctor) => {
    ctor.ignore("ST_struc", "shortcut_type", "pretrained", "num_stages", "conv_cfg");
    const depth = ctor.isText("depth") ? ctor.string("depth") : String(ctor.number("depth", 63));
    return p3d({ depth: isP3dDepth(depth) ? depth : unmapped(`P3D of depth ${depth}`), norm: normOf(ctor, { groups: 32 }), channels: ctor.number("in_channels", 1), width: ctor.number("base_channels", 64) });
  }),
  "EncoderDecoder(ResNet3D+UNetNeck+FCNHead)": model(segmenter),
  UNet3D: model((ctor) => {
    ctor.ignore("act");
    return unet3d({ classes: ctor.has("n_class") ? ctor.number("n_class") : ctor.number("num_classes", 1), channels: ctor.number("in_channels", 1) });
  }),
};

const autofocus = (architecture: AutofocusArchitecture): Runner =>
  model((ctor) => {
    ctor.ignore("arch");
    const branches = ctor.number("num_branches", 4);
    const [dilations, paddings] = [ctor.numbers("dilation_list", [2, 6, 10, 14]), ctor.numbers("padding_list", [0, 4, 8, 12])];
    // num_input counts the file of labels as well.
    return autofocusNetwork(architecture, { channels: ctor.number("num_input", 5) - 1, classes: ctor.number("num_classes", 5), dilations: dilations.slice(0, branches), paddings: paddings.slice(0, branches) });
  });

/** The networks of the four systems. */
export const models: Family = { ...acsconv, ...alignshift, ...vdt, ...Object.fromEntries(autofocusArchitectures.map((name) => [name, autofocus(name)])) };
