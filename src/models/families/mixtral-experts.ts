import type { Activation } from '../../kernels/core/activation.ts';
import { spelling } from '../file-tensors.ts';
import {
  fusedExperts,
  fusedIn,
  separateExperts,
  type GatedMoeSpec,
  type LinearRouter,
  type Shell,
} from './common.ts';

const NAMES = { gate: 'w1', up: 'w3', down: 'w2' } as const;

/** Experts under `block_sparse_moe.experts`, the names of Mixtral; `router` makes the router from the prefix of its tensors. */
export function mixtralMoe(
  prefix: string,
  { file, hidden }: Shell,
  sizes: { readonly experts: number; readonly width: number; readonly activation: Activation },
  router: (at: string) => LinearRouter,
): GatedMoeSpec {
  const { experts, width, activation } = sizes;
  // transformers 5 names the block `mlp`.
  const gate = spelling(file, [`${prefix}block_sparse_moe.gate.weight`, `${prefix}mlp.gate.weight`]);
  const block = gate.slice(0, -'gate.weight'.length);
  const fused = fusedIn(file, `${block}experts.`);
  const matrices = fused
    ? fusedExperts({ experts, width, hidden }, fused)
    : separateExperts({ experts, width, hidden }, (matrix) => {
        return `${block}experts.{expert}.${NAMES[matrix]}.weight`;
      });
  return {
    kind: 'moe',
    experts,
    router: router(block),
    expert: { kind: 'gated', width, activation, ...matrices },
  };
}
