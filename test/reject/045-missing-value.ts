// expect: quote-type
import { tensor } from "indexical";

const options: { readonly scale?: number } = {};

export const y = tensor([4], (i) => i * options.scale!);
