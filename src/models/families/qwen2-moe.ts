import type { ModelFamily } from '../family.ts';
import {
  attention,
  decoder,
  gatedMlp,
  layers,
  norms,
  readActivation,
  readShell,
  separateExperts,
  softmaxRule,
} from './common.ts';

/** Qwen1.5-MoE and Qwen2-MoE: q, k, v biases; a shared expert behind a sigmoid gate (spec/model-families.md 3.3). */
export const qwen2Moe: ModelFamily = {
  modelTypes: ['qwen2_moe'],
  parse: (config) => {
    if (config.boolean(['use_sliding_window'], false))
      config.unsupported('a sliding window', 'full attention');
    const shell = readShell(config);
    const activation = readActivation(config);
    const dense = new Set(config.integers(['mlp_only_layers']));
    const step = config.count(['decoder_sparse_step'], 1);
    const experts = config.count(['num_experts']);
    const topK = config.count(['num_experts_per_tok']);
    const width = config.count(['moe_intermediate_size']);
    const sharedWidth = config.count(['shared_expert_intermediate_size']);
    const rule = softmaxRule(config.boolean(['norm_topk_prob'], false));
    const qkvBias = config.boolean(['qkv_bias'], true);
    return decoder(
      'qwen2_moe',
      config,
      shell,
      layers(shell, (layer, prefix) => ({
        ...norms(prefix),
        attention: attention(prefix, shell, { qkvBias }),
        mlp:
          dense.has(layer) || (layer + 1) % step !== 0
            ? { kind: 'dense', ...gatedMlp(`${prefix}mlp.`, config.count(['intermediate_size']), activation) }
            : {
                kind: 'moe',
                experts,
                topK,
                width,
                activation,
                router: { weight: `${prefix}mlp.gate.weight`, rule },
                expert: separateExperts((e, matrix) => `${prefix}mlp.experts.${e}.${matrix}_proj.weight`),
                shared: {
                  ...gatedMlp(`${prefix}mlp.shared_expert.`, sharedWidth, activation),
                  gate: `${prefix}mlp.shared_expert_gate.weight`,
                },
              },
      })),
    );
  },
};
