export { elementOf, medMnist, volumeFromArray, type FromArrayOptions, type MedMnistPart } from "./arrays.js";
export { prepare, type Change, type Changed, type RestoreOptions } from "./changed.js";
export { box, centred, cropped, foreground, multipleOf, padded, toForeground, toMultipleOf } from "./crop.js";
export { readDicom, readDicomVolumes, type DicomOptions, type DicomVolume } from "./dicom.js";
export { deepMedic, hounsfieldWindows, minMax, windowed, zScore, type ZScoreOptions } from "./intensity.js";
export { reorient, reoriented } from "./reorient.js";
export { keySlices, type KeySlicesOptions } from "./slices.js";
export { resample, resampled, type ResampleOptions } from "./resample.js";
