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

/** Qwen3-MoE: per-head q/k norm; softmax router, renormalised (spec/model-families.md 3.4). */
export const qwen3Moe: ModelFamily = {
  modelTypes: ['qwen3_moe'],
  parse: (config) => {
    if (config.boolean(['use_sliding_window'], false))
      config.unsupported('a sliding window', 'full attention');
    const shell = readShell(config);
    const activation = readActivation(config);
    const dense = new Set(config.integers(['mlp_only_layers']));
    const step = config.count(['decoder_sparse_step'], 1);
    const bias = config.boolean(['attention_bias'], false);
    const experts = config.count(['num_experts', 'num_local_experts']);
    const topK = config.count(['num_experts_per_tok']);
    const width = config.count(['moe_intermediate_size']);
    const rule = softmaxRule(config.boolean(['norm_topk_prob'], true));
    return decoder(
      'qwen3_moe',
      config,
      shell,
      layers(shell, (layer, prefix) => ({
        ...norms(prefix),
        attention: attention(prefix, shell, { norm: 'head', qkvBias: bias, outBias: bias }),
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
              },
      })),
    );
  },
};
