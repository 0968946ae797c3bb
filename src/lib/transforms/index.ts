/** What is done to images and volumes before a network sees them; plain functions on arrays. */
export { drawBratsCrop, normaliseDeepMedic } from "./brats.js";
export { crop, cropAt, reflect, rot90, rotate } from "./geometry.js";
export { augmentLidc, centreCrop, drawLidc, normaliseLidc, type LidcDraws } from "./lidc.js";
export { channelShuffler, imageToVolume, type ImageToVolumeOptions } from "./vdt.js";
