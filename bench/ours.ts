import { findWorkload } from "./find.js";
import { ours } from "./play.js";
import { serve } from "./protocol.js";

/** Our own contestant: `ours.ts WORKLOAD DEVICE THREADS`. */
const [name = "W1", device = "wasm", threads = "1"] = process.argv.slice(2);

await serve(async () => ours(await findWorkload(name), device, Number(threads)));
