import { IndexicalError } from "../../dsl/errors.js";
import { usage } from "./flags.js";
import type { WebgpuTensor } from "./plan.js";

export const elements = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** Bytes of a tensor that shaders may see as vectors of four. */
export const vectorBytes = (shape: readonly number[]): number => Math.max(16, 16 * Math.ceil(elements(shape) / 4));

/** Why a buffer can neither be used in its place nor copied. */
export const refusedSource = ({ name, shape }: WebgpuTensor, given: GPUBuffer): IndexicalError => {
  const small = given.usage & usage.STORAGE && given.size < vectorBytes(shape);
  const why = small
    ? `has ${given.size} bytes; where it can't be copied it has to have whole vectors of four numbers, ${vectorBytes(shape)} bytes`
    : given.usage & usage.STORAGE ? "shares a binding with others, and has not the usage COPY_SRC" : "has neither the usage STORAGE nor COPY_SRC";
  return new IndexicalError("input-type", `the buffer given for the input ${name} ${why}`, { remedy: "Create it with GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC." });
};

/** Whether a caller's buffer holds an input. @throws input-size, input-type */
export const checkSource = ({ name, shape }: WebgpuTensor, given: GPUBuffer): void => {
  const bytes = 4 * elements(shape);
  if (given.size < bytes)
    throw new IndexicalError("input-size", `the buffer given for the input ${name} has ${given.size} bytes; shape [${shape.join(", ")}] needs ${bytes}`, { remedy: "Give a buffer with one float32 an element, row-major." });
  if (given.mapState !== "unmapped") throw new IndexicalError("input-type", `the buffer given for the input ${name} is mapped, or about to be`, { remedy: "Call unmap() before the run." });
};

/** Whether callers' buffers can take outputs. @throws output-unknown, output-buffer */
export const checkTargets = (outputs: readonly WebgpuTensor[], into: Readonly<Record<string, GPUBuffer>>): void => {
  const names = outputs.map((o) => o.name);
  const seen = new Map<GPUBuffer, string>();
  for (const [name, buffer] of Object.entries(into)) {
    const tensor = outputs.find((o) => o.name === name);
    if (!tensor) throw new IndexicalError("output-unknown", `the program has no output ${name}`, { remedy: `Its outputs are ${names.join(", ")}.` });
    const refused = (why: string, remedy: string): never => {
      throw new IndexicalError("output-buffer", `the buffer given for the output ${name} ${why}`, { remedy });
    };
    const bytes = 4 * elements(tensor.shape);
    if (buffer.size < bytes) refused(`has ${buffer.size} bytes; shape [${tensor.shape.join(", ")}] needs ${bytes}`, "Give a buffer with room for one float32 an element.");
    if (buffer.mapState !== "unmapped") refused("is mapped, or about to be", "Call unmap() before the run.");
    // Some outputs are copied, and which is the plan's business.
    if (!(buffer.usage & usage.COPY_DST)) refused("has not the usage COPY_DST", "Create it with GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC.");
    if (seen.has(buffer)) refused(`is given for the output ${seen.get(buffer)} as well`, "Give each output a buffer of its own.");
    seen.set(buffer, name);
  }
};
