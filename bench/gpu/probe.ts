import { median } from "../numbers.js";

const usage = { COPY_SRC: 4, COPY_DST: 8, STORAGE: 128, MAP_READ: 1 } as const;

/** What this GPU can do at most, measured now: the yardstick of a run. */
export interface GpuProbe {
  /** Bytes read plus bytes written a second, by a kernel that copies vectors. */
  readonly copyGBs: number;
  /** float32 multiply-adds (two operations each) in registers. */
  readonly fmaGflops: number;
}

/** A copy of `bytes` and a chain of multiply-adds, the median of several runs each, by the processor's clock around a submit. */
export const probe = async (device: GPUDevice, smoke: boolean): Promise<GpuProbe> => {
  const bytes = smoke ? 2 ** 16 : Math.min(2 ** 28, device.limits.maxStorageBufferBindingSize);
  const rounds = smoke ? 8 : 4096;
  const groups = smoke ? 4 : 16384;
  const copy = await timed(device, copyShader, Math.ceil(bytes / 16 / 256), bytes, smoke ? 1 : 20);
  const fma = await timed(device, fmaShader(rounds), groups, groups * 256 * 16, 1);
  return { copyGBs: (2 * bytes) / copy / 1e6, fmaGflops: (groups * 256 * rounds * chains * 4 * 2) / fma / 1e6 };
};

const copyShader = `
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@compute @workgroup_size(256) fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) all: vec3u, @builtin(local_invocation_index) thread: u32) {
  let at = (group.y * all.x + group.x) * 256u + thread;
  if (at < arrayLength(&y)) { y[at] = x[at]; }
}`;

/** Independent chains of a thread. */
const chains = 8;
const fmaShader = (rounds: number): string => `
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@compute @workgroup_size(256) fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) all: vec3u, @builtin(local_invocation_index) thread: u32) {
  let at = (group.y * all.x + group.x) * 256u + thread;
  let a = x[0] * 1e-30 + 0.999;
  ${Array.from({ length: chains }, (_, k) => `var s${k} = vec4f(f32(thread) + ${k}f);`).join("\n  ")}
  for (var r = 0; r < ${rounds}; r++) {
    ${Array.from({ length: chains }, (_, k) => `s${k} = fma(s${k}, a, vec4f(${k}f));`).join("\n    ")}
  }
  if (at < arrayLength(&y)) { y[at] = ${Array.from({ length: chains }, (_, k) => `s${k}`).join(" + ")}; }
}`;

/** Milliseconds of one dispatch, of `repeat` in a submit. */
const timed = async (device: GPUDevice, code: string, groups: number, bytes: number, repeat: number): Promise<number> => {
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module: device.createShaderModule({ code }) } });
  const buffers = [0, 1].map(() => device.createBuffer({ size: bytes, usage: usage.STORAGE | usage.COPY_SRC | usage.COPY_DST }));
  const bound = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })) });
  const [across, deep] = [Math.min(groups, 32768), Math.ceil(groups / 32768)];
  const times: number[] = [];
  for (let round = 0; round < 6; round++) {
    const began = performance.now();
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bound);
    for (let k = 0; k < repeat; k++) pass.dispatchWorkgroups(across, deep);
    pass.end();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    if (round > 0) times.push((performance.now() - began) / repeat);
  }
  for (const b of buffers) b.destroy();
  return median(times);
};
