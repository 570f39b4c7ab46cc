/** Runs a described layer on a device, without a model around it. */
import type { DescribedLayer } from '../../blocks/described/layer.ts';
import type { Checkpoint } from '../../containers/checkpoint.ts';
import { invariant } from '../../errors.ts';
import type { Gpu } from '../../gpu/device.ts';
import { runOnCpu } from '../../graph/cpu.ts';
import { plainStep, type HostArray } from '../../graph/node.ts';
import { Plan } from '../../graph/plan.ts';
import type { Tensor, Weight } from '../../graph/tensor.ts';
import { uploadWeights } from '../load/gpu-load.ts';

/** Values of the graph's outputs. */
export type DescribedOutputs = Readonly<Record<string, HostArray>>;

/** Runs a built layer once, for all its tokens. */
export type RunDescribed = (
  built: DescribedLayer,
  inputs: ReadonlyMap<Tensor, HostArray>,
  tokens: number,
) => Promise<DescribedOutputs> | DescribedOutputs;

/** By the references of the ops. */
export const runDescribedOnCpu: RunDescribed = ({ graph, outputs }, inputs, tokens) => {
  const weights = new Map<Weight, Float32Array>();
  const weight = (wanted: Weight) => {
    const known = weights.get(wanted);
    if (known) return known;
    invariant(wanted.source.kind === 'computed', () => `${wanted.name} is not computed`);
    const values = wanted.source.values();
    weights.set(wanted, values);
    return values;
  };
  const resources = { weight, experts: undefined, contextTokens: tokens };
  const get = runOnCpu(graph, resources, new Map(), plainStep(tokens, 0), inputs);
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, get(tensor).slice()]));
};

/** By the kernels of a GPU. */
export function runDescribedOnGpu(gpu: Gpu, checkpoint: Checkpoint): RunDescribed {
  return async ({ graph, outputs }, inputs, tokens) => {
    const held: { dispose(): void }[] = [];
    try {
      const weights = await uploadWeights(gpu, graph, { checkpoint }, held);
      const weight = ({ name }: Weight) => {
        const found = weights.get(name);
        invariant(found, () => `weight ${name} was not loaded`);
        return found;
      };
      const sizes = { maxTokens: tokens, contextTokens: tokens };
      const options = { label: 'described layer', ...sizes, scalar: 'f32', tuning: new Map() } as const;
      const plan = await Plan.open(gpu, graph, { weight, experts: undefined }, options);
      held.push(plan);
      for (const [tensor, values] of inputs) gpu.write(plan.buffer(tensor), 0, values.slice());
      plan.instance(new Map()).run(plainStep(tokens, 0));
      const read: Record<string, HostArray> = {};
      for (const [name, tensor] of Object.entries(outputs)) {
        const bytes = await plan.read(tensor, tokens);
        read[name] = tensor.type === 'u32' ? new Uint32Array(bytes) : new Float32Array(bytes);
      }
      return read;
    } finally {
      for (const item of held) item.dispose();
    }
  };
}
