import { IndexicalError } from "../../dsl/errors.js";
import { mapRead, usage } from "./flags.js";
import type { WebgpuStep } from "./plan.js";

/** Times of the steps of a run, by the device's own clock. @throws device-unavailable where it has none. */
export class Stopwatch {
  last: readonly { readonly name: string; readonly ms: number }[] = [];
  private readonly queries: GPUQuerySet;
  private readonly resolved: GPUBuffer;
  private readonly staging: GPUBuffer;

  constructor(
    device: GPUDevice,
    private readonly steps: readonly WebgpuStep[],
  ) {
    if (!device.features.has("timestamp-query")) throw new IndexicalError("device-unavailable", "this WebGPU device has no timestamps", { remedy: "Compile without timestamps." });
    const count = Math.max(1, 2 * steps.length);
    this.queries = device.createQuerySet({ type: "timestamp", count });
    this.resolved = device.createBuffer({ size: 8 * count, usage: usage.QUERY_RESOLVE | usage.COPY_SRC });
    this.staging = device.createBuffer({ size: 8 * count, usage: usage.MAP_READ | usage.COPY_DST });
  }

  around(step: number): GPUComputePassTimestampWrites {
    return { querySet: this.queries, beginningOfPassWriteIndex: 2 * step, endOfPassWriteIndex: 2 * step + 1 };
  }

  collect(encoder: GPUCommandEncoder): void {
    encoder.resolveQuerySet(this.queries, 0, this.queries.count, this.resolved, 0);
    encoder.copyBufferToBuffer(this.resolved, 0, this.staging, 0, this.staging.size);
  }

  /** Reads the times of the steps from `first` on. */
  async read(first: number): Promise<void> {
    await this.staging.mapAsync(mapRead);
    const times = new BigUint64Array(this.staging.getMappedRange());
    this.last = this.steps.slice(first).map(({ name }, k) => ({ name, ms: Number(times[2 * (first + k) + 1]! - times[2 * (first + k)]!) / 1e6 }));
    this.staging.unmap();
  }

  destroy(): void {
    this.queries.destroy();
    this.resolved.destroy();
    this.staging.destroy();
  }
}
