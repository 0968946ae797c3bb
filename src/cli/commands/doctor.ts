import { cpus, totalmem } from "node:os";
import { compile } from "../../compiler/index.js";
import { devices, findDevice } from "../../compiler/devices.js";
import { sum, tensor, type Matrix, type Vector } from "../../dsl/index.js";
import { version } from "../../version.js";
import { exit } from "../usage.js";

export interface Finding {
  readonly device: string;
  readonly works: boolean;
  /** What was found, or why the device does not work. */
  readonly reason: string;
}

/** `indexical doctor`: each device is asked, then runs a program whose result is known. */
export const doctor = async ({ json = false }: { readonly json?: boolean }): Promise<number> => {
  const findings: Finding[] = [];
  for (const { name, probe } of devices) findings.push(await examine(name, probe));
  const automatic = await chosen();
  const [cpu] = cpus();
  const machine = {
    indexical: version,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpu?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGiB: Number((totalmem() / 2 ** 30).toFixed(1)),
  };
  if (json) console.log(JSON.stringify({ ...machine, auto: automatic, devices: findings }, null, 2));
  else {
    console.log(`indexical ${machine.indexical}, Node ${machine.node}, ${machine.platform}, ${machine.cores} x ${machine.cpu}, ${machine.memoryGiB} GiB`);
    const width = Math.max(...findings.map((f) => f.device.length));
    for (const f of findings) console.log(`${f.works ? "works" : "no   "}  ${f.device.padEnd(width)}  ${f.reason.replace(/ \[[a-z-]+\]/, ".").replace(/\s+/g, " ")}`);
    console.log(`auto is ${automatic}`);
  }
  return exit.done;
};

const examine = async (device: string, probe: (typeof devices)[number]["probe"]): Promise<Finding> => {
  try {
    const { works, reason } = await probe();
    if (!works) return { device, works, reason };
    return (await computes(device)) ? { device, works, reason } : { device, works: false, reason: `${reason}, but it computed a small convolution wrongly` };
  } catch (error) {
    return { device, works: false, reason: error instanceof Error ? error.message : String(error) };
  }
};

/** A convolution of integers, which every device must get exactly right. */
const computes = async (device: string): Promise<boolean> => {
  const program = ({ x, w }: { x: Matrix; w: Vector }) => tensor((c, d) => sum((i) => x(c, d + i) * w(i)));
  const compiled = await compile(program, { x: [2, 6], w: [3] }, { device });
  try {
    const { data } = await compiled.run({ x: Float32Array.from({ length: 12 }, (_, n) => n), w: Float32Array.of(1, -2, 4) });
    return Array.from(data).join() === "6,9,12,15,24,27,30,33";
  } finally {
    compiled.dispose();
  }
};

const chosen = async (): Promise<string> => {
  try {
    return (await findDevice("auto")).device.name;
  } catch (error) {
    return `none: ${(error as Error).message}`;
  }
};
