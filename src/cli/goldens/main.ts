import { goldens } from "./goldens.js";

process.exitCode = await goldens(process.argv.slice(2), { out: (line) => console.log(line), err: (line) => console.error(line) });
