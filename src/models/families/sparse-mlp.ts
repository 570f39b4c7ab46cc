import type { Activation } from '../../kernels/activation.ts';
import type { RouterRule } from '../../kernels/gate.ts';
import type { ConfigReader } from '../config.ts';
import type { LayerSpec, MoeSpec } from '../spec.ts';
import { fusedExperts, fusedIn, gatedMlp, readWidth, separateExperts, type Shell } from './common.ts';

export interface SparseMlp {
  readonly experts: number;
  readonly topK: number;
  readonly width: number;
  readonly activation: Activation;
  readonly rule: RouterRule;
}

/** Experts under `mlp.gate`, `mlp.experts`, as OLMoE and Qwen name them. */
export function sparseMlp(prefix: string, { file, hidden }: Shell, mlp: SparseMlp): MoeSpec {
  const { rule, ...counts } = mlp;
  const sizes = { experts: mlp.experts, width: mlp.width, hidden };
  const at = `${prefix}mlp.experts.`;
  const fused = fusedIn(file, at);
  return {
    kind: 'moe',
    ...counts,
    router: { weight: `${prefix}mlp.gate.weight`, rule },
    expert: fused
      ? fusedExperts(sizes, fused)
      : separateExperts(sizes, (e, matrix) => `${at}${e}.${matrix}_proj.weight`),
  };
}

/** Which layers of a Qwen have an ordinary MLP: those listed, and those between the steps. */
export function qwenMlps(
  config: ConfigReader,
  shell: Shell,
  activation: Activation,
): (layer: number, prefix: string, sparse: () => MoeSpec) => LayerSpec['mlp'] {
  const dense = new Set(config.integers(['mlp_only_layers']));
  const step = config.count(['decoder_sparse_step']);
  return (layer, prefix, sparse) => {
    if (!dense.has(layer) && (layer + 1) % step === 0) return sparse();
    const width = readWidth(config, 'intermediate_size');
    return { kind: 'dense', ...gatedMlp(`${prefix}mlp.`, shell.hidden, width, activation) };
  };
}
