// npm start: segments a brain MRI.
import { run } from "./run.mjs";

await run("examples/brain-mri/main.ts", process.argv.slice(2));
