import type { Activation } from '../../kernels/core/activation.ts';
import type { ConfigReader } from '../config.ts';
import type { BlockSpec } from '../spec.ts';
import {
  denseMlp,
  fusedExperts,
  fusedIn,
  readWidth,
  separateExperts,
  softmaxRouter,
  type GatedMoeSpec,
  type Shell,
} from './common.ts';

/** Sizes and routing of the experts of a layer. */
export interface SparseMlp {
  readonly experts: number;
  readonly topK: number;
  readonly width: number;
  readonly activation: Activation;
  readonly renormalise: boolean;
}

/** Experts under `mlp.gate`, `mlp.experts`, the names of OLMoE and Qwen. */
export function sparseMlp(prefix: string, { file, hidden }: Shell, mlp: SparseMlp): GatedMoeSpec {
  const { experts, topK, width, activation, renormalise } = mlp;
  const sizes = { experts, width, hidden };
  const at = `${prefix}mlp.experts.`;
  const fused = fusedIn(file, at);
  const matrices = fused
    ? fusedExperts(sizes, fused)
    : separateExperts(sizes, (matrix) => `${at}{expert}.${matrix}_proj.weight`);
  return {
    kind: 'moe',
    experts,
    router: softmaxRouter(`${prefix}mlp.gate.weight`, topK, renormalise),
    expert: { kind: 'gated', width, activation, ...matrices },
  };
}

/** The layers of a Qwen model with a dense MLP: those listed in mlp_only_layers, and those that decoder_sparse_step skips. */
export function qwenMlps(
  config: ConfigReader,
  shell: Shell,
  activation: Activation,
): (layer: number, prefix: string, sparse: () => GatedMoeSpec) => BlockSpec {
  const dense = new Set(config.integers(['mlp_only_layers']));
  const step = config.count(['decoder_sparse_step']);
  return (layer, prefix, sparse) => {
    if (!dense.has(layer) && (layer + 1) % step === 0) return sparse();
    const width = readWidth(config, 'intermediate_size');
    return denseMlp(`${prefix}mlp.`, shell.hidden, width, activation);
  };
}
