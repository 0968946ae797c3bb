import { resnet101, resnet152, resnet18, resnet34, resnet50, unet, type Network } from "../../../lib/networks/index.js";
import { unmapped, type Fields } from "../fields.js";

type Build = (options: { readonly classes?: number }) => Network;

/** The 2D networks by torchvision's names. */
const torchvision: Readonly<Record<string, Build>> = { resnet18, resnet34, resnet50, resnet101, resnet152 };

/** A 2D network by the name that a case has for it. @throws golden-unmapped */
export const sourceOf = (name: string, ctor: Fields): Network => {
  const classes = ctor.has("num_classes") ? { classes: ctor.number("num_classes") } : {};
  const [, unetClasses] = /^UNet\((\d+)\)$/.exec(name) ?? [];
  if (unetClasses !== undefined) return unet({ classes: Number(unetClasses) });
  if (Object.hasOwn(torchvision, name)) return torchvision[name](classes);
  return unmapped(`no 2D network ${name} is known`);
};

export const torchvisionNames = Object.keys(torchvision);
