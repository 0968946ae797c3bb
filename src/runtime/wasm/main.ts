/** `indexical/worker`: what a worker thread runs, for pages whose policy forbids workers made from text. They serve it as a file. */
import { math } from "./math.js";
import { control, serve } from "./worker.js";

serve(math, control);
