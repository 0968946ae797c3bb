import {
  densenet121, lidcClassifier, lidcFcn, mobilenetV2, resnet101, resnet152, resnet18, resnet34, resnet50, squeezenet11, unet, vgg11, vgg16, vggFeatures,
  type LidcBackbone, type Network,
} from "../../../lib/networks/index.js";
import { unmapped, type Fields } from "../fields.js";

type Build = (options: { readonly classes?: number }) => Network;

/** The 2D networks by torchvision's names. */
const torchvision: Readonly<Record<string, Build>> = {
  resnet18, resnet34, resnet50, resnet101, resnet152,
  densenet121,
  squeezenet1_1: squeezenet11,
  mobilenet_v2: mobilenetV2,
  vgg11,
  vgg11_bn: (options) => vgg11({ ...options, batchNorm: true }),
  vgg16,
  vgg16_bn: (options) => vgg16({ ...options, batchNorm: true }),
};

export const torchvisionNames = Object.keys(torchvision);

/** The number of classes that a case asks for. */
export const classesOf = (ctor: Fields): { readonly classes?: number } => (ctor.has("num_classes") ? { classes: ctor.number("num_classes") } : {});

/** `resnet18`, `densenet121`, `vgg16` and `vgg16_bn` name the backbones of the nodule networks. @throws golden-unmapped */
export const backboneOf = (name: string): LidcBackbone => {
  const plain = name.replace(/_bn$/, "");
  return plain === "resnet18" || plain === "densenet121" || plain === "vgg16" ? plain : unmapped(`backbone ${name}`);
};

/** A 2D network by the name that a case has for it. @throws golden-unmapped */
export const sourceOf = (name: string, ctor: Fields): Network => {
  const [, unetClasses] = /^UNet\((\d*)\)$/.exec(name) ?? [];
  if (unetClasses !== undefined) return unet(unetClasses === "" ? classesOf(ctor) : { classes: Number(unetClasses) });
  const [, depth, norm] = /^Sequential\(vgg(11|16)(_bn)?\.features\)$/.exec(name) ?? [];
  if (depth !== undefined) return vggFeatures(depth === "11" ? 11 : 16, { batchNorm: norm !== undefined, prefix: "0." });
  const [, kind, backbone] = /^experiments\/lidc\s+(FCN|Cls)\w*\((\w+)\)$/.exec(name) ?? [];
  if (kind === "FCN") return lidcFcn({ backbone: backboneOf(backbone), upsampling: "nearest", ...classesOf(ctor) });
  if (kind === "Cls") return lidcClassifier({ backbone: backboneOf(backbone), ...classesOf(ctor) });
  const plain = name.replace(/^torchvision\./, "");
  return Object.hasOwn(torchvision, plain) ? torchvision[plain](classesOf(ctor)) : unmapped(`no 2D network ${name} is known`);
};
