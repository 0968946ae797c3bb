export { bitmap, paste, textWidth, write, type Bitmap, type Colour } from "./bitmap.js";
export { defaultPalette, montage, type Convention, type MontageOptions, type ViewName } from "./montage.js";
export { encodePng, type Pixels } from "./png.js";
