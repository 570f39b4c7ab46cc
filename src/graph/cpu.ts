import { invariant } from '../errors.ts';
import type { CpuExpertWeights } from './experts.ts';
import type { Graph, HostArray, RunContext, Step } from './node.ts';
import { runReference } from './references.ts';
import type { Tensor, Weight } from './tensor.ts';

/** Data that references read besides tensors. */
export interface CpuResources {
  readonly weight: (weight: Weight) => Float32Array; // dequantised
  readonly experts: CpuExpertWeights | undefined;
  readonly contextTokens: number;
}

/** Session states on the CPU, by tensor name. Nodes create them on first use. */
export type CpuStates = Map<string, HostArray>;

/**
 * Runs a graph with the kernels' references, node by node.
 *
 * @param inputs - the step's tokens (`graph.ids`), and values of other tensors that are inputs
 * @returns the values of each tensor after the step
 */
export function runOnCpu(
  graph: Pick<Graph, 'nodes'>,
  resources: CpuResources,
  states: CpuStates,
  step: Step,
  inputs: ReadonlyMap<Tensor, HostArray>,
): (tensor: Tensor) => HostArray {
  const values = new Map<Tensor, HostArray>(inputs);
  const get = (tensor: Tensor): HostArray => {
    const found = tensor.role === 'state' ? state(states, tensor) : values.get(tensor);
    invariant(found, () => `${tensor.name} is read before it is written`);
    return found;
  };
  const context: RunContext = {
    step,
    contextTokens: resources.contextTokens,
    experts: resources.experts,
    weight: resources.weight,
    floats: (tensor) => {
      const found = get(tensor);
      invariant(found instanceof Float32Array, () => `${tensor.name} holds words, not floats`);
      return found;
    },
    words: (tensor) => {
      const found = get(tensor);
      invariant(found instanceof Uint32Array, () => `${tensor.name} holds floats, not words`);
      return found;
    },
    put: (tensor, array) => {
      if (tensor.role === 'state') states.set(tensor.name, array);
      else values.set(tensor, array);
    },
  };
  for (const node of graph.nodes) runReference(node, context);
  return get;
}

function state(states: CpuStates, tensor: Tensor): HostArray {
  let array = states.get(tensor.name);
  if (!array) {
    array = tensor.type === 'u32' ? new Uint32Array(tensor.fixed) : new Float32Array(tensor.fixed);
    states.set(tensor.name, array);
  }
  return array;
}
