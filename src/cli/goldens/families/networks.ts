import type { AnyTensor } from "../../../dsl/index.js";
import { forward, parameters, type Network, type StateDict } from "../../../lib/networks/index.js";
import type { NdArray } from "../../../lib/formats/index.js";
import { parametersOf, withPrefix, type GoldenCase } from "../case.js";
import type { Computed } from "../compare.js";
import type { Machine, Outcome } from "../family.js";
import { malformed } from "../fields.js";

/**
 * The parameters of a case by the names of a network. Where a name is not the network's, all go by their order, as long as every shape agrees:
 * the originals register modules in the order in which the networks here have them.
 * @throws golden-malformed when they are not the parameters of this network
 */
export const stateFor = (golden: GoldenCase, net: Network): StateDict => {
  const given = [...parametersOf(golden)].filter(([key]) => !key.endsWith("num_batches_tracked"));
  const wanted = Object.entries(parameters(net));
  const byName = new Map(given.map(([key, array]) => [key.replace(/^module\./, ""), array]));
  const has = (key: string, shape: readonly number[]): boolean => byName.get(key)?.shape.join() === shape.join();
  if (wanted.every(([key, { shape }]) => has(key, shape))) return Object.fromEntries(wanted.map(([key]) => [key, byName.get(key)!]));
  const inOrder = given.length === wanted.length && given.every(([, array], n) => array.shape.join() === wanted[n][1].shape.join());
  if (!inOrder) {
    const [key, { shape }] = wanted.find(([name, { shape: s }]) => !has(name, s))!;
    return malformed(`${net.name} needs ${key} of shape [${shape.join(", ")}]; the case has ${byName.has(key) ? `shape [${byName.get(key)!.shape.join(", ")}]` : "no such parameter"}, and ${given.length} parameters in all for ${wanted.length}`);
  }
  return Object.fromEntries(wanted.map(([key], n) => [key, given[n][1]]));
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
