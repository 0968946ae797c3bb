import type { AnyTensor } from "../../../dsl/index.js";
import { forward, parameters, type Network, type StateDict } from "../../../lib/networks/index.js";
import type { NdArray } from "../../../lib/formats/index.js";
import { parametersOf, withPrefix, type GoldenCase } from "../case.js";
import type { Computed } from "../compare.js";
import type { Machine, Outcome } from "../family.js";
import { malformed } from "../fields.js";

/**
 * The parameters of a case by the names of a network. Names that only one of the two has are matched in their order, where the shapes agree: the
 * originals register modules in the order in which the networks here have them. The case may hold more than the network needs.
 * @throws golden-malformed when they are not the parameters of this network
 */
export const stateFor = (golden: GoldenCase, net: Network): StateDict => {
  const given = new Map([...parametersOf(golden)].flatMap(([key, array]) => (key.endsWith("num_batches_tracked") ? [] : [[key.replace(/^module\./, ""), array] as const])));
  const wanted = Object.entries(parameters(net));
  const named = (key: string, shape: readonly number[]): boolean => given.get(key)?.shape.join() === shape.join();
  const taken = new Set(wanted.flatMap(([key, { shape }]) => (named(key, shape) ? [key] : [])));
  const rest = [...given].filter(([key]) => !taken.has(key));
  let next = 0;
  return Object.fromEntries(wanted.map(([key, { shape }]) => {
    if (taken.has(key)) return [key, given.get(key)!];
    while (next < rest.length && rest[next][1].shape.join() !== shape.join()) next++;
    const [, array] = rest[next++] ?? malformed(`${net.name} needs ${key} of shape [${shape.join(", ")}]; the case has ${given.has(key) ? `shape [${given.get(key)!.shape.join(", ")}]` : "no such parameter"}, and ${given.size} parameters in all for ${wanted.length}`);
    return [key, array];
  }));
};

/** Runs a network on the inputs of the case. Intermediate values that the case stores by the name of a module are outputs as well. */
export const runNetwork = async (golden: GoldenCase, machine: Machine, net: Network, state: StateDict): Promise<Outcome> => {
  const outputs = outputNames(golden, net);
  const inputs = Object.fromEntries(net.inputs.map((name) => [`input.${name}`, inputArray(golden, name)]));
  const weights = Object.fromEntries(Object.entries(state).map(([name, array]) => [`param.${name}`, array]));
  const probed = [...withPrefix(golden.arrays, "probe.").keys()].filter((name) => Object.hasOwn(net.modules, name) || net.nodes.some((node) => node.name === name));
  const computed: Record<string, Computed> = await machine.run(
    (tensors) => {
      const under = (prefix: string): Record<string, AnyTensor> => Object.fromEntries(Object.entries(tensors as Readonly<Record<string, AnyTensor>>).flatMap(([name, t]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), t] as const] : [])));
      const pass = forward(net, under("param."), under("input."), { mode: golden.mode });
      const after = Object.entries(pass.running).flatMap(([name, t]) => (`after.${name}` in golden.arrays ? [[`after.${name}`, t] as const] : []));
      const probes = probed.map((name) => [`probe.${name}`, pass.values[net.modules[name] ?? name]] as const);
      return Object.fromEntries([...pass.outputs.map((t, k) => [outputs[k], t] as const), ...after, ...probes]);
    },
    { ...inputs, ...weights },
  );
  return { outputs: computed };
};

const inputArray = (golden: GoldenCase, name: string): NdArray => golden.arrays[`input.${name}`] ?? malformed(`${golden.id}.safetensors has no tensor input.${name}`);

const outputNames = (golden: GoldenCase, net: Network): readonly string[] =>
  net.outputs.length === 1 && "output" in golden.arrays ? ["output"] : net.outputs.map((_, k) => `output.${k}`);
