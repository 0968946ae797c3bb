// Needs a WebGPU adapter. With Debian's chromium package installed, its software adapter will do:
// VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json LD_LIBRARY_PATH=/usr/lib/chromium XDG_RUNTIME_DIR=/tmp npm test -- --project webgpu
import { describeGoldensOn } from "../cli/goldens-on.js";

describeGoldensOn("gpujs:webgpu");
