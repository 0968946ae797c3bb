import type { Family, Runner } from "../family.js";
import type { Network } from "../../../lib/networks/index.js";
import { convert, converters } from "../../../lib/index.js";
import { unet } from "../../../lib/networks/index.js";
import type { Fields } from "../fields.js";
import { runNetwork, stateFor } from "./networks.js";
import { sourceOf, torchvisionNames } from "./sources.js";

/** Runs a network with the parameters of the case. */
const model =
  (build: (ctor: Fields) => Network): Runner =>
  async (golden, machine) => {
    const net = build(golden.ctor);
    return runNetwork(golden, machine, net, stateFor(golden, net));
  };

const acsconv: Family = {
  ACSUNet: model((ctor) => convert(unet({ classes: ctor.number("num_classes", 3) }), converters.acs()).network),
  "UNet(2D)": model((ctor) => unet({ classes: ctor.number("num_classes", 3) })),
  ...Object.fromEntries(torchvisionNames.map((name) => [`torchvision.${name}`, model((ctor) => {
    ctor.ignore("model");
    return sourceOf(name, ctor);
  })])),
};

export const models: Family = acsconv;
