import type { ModelFamily } from '../family.ts';
import {
  attention,
  decoder,
  layers,
  norms,
  readActivation,
  readShell,
  separateExperts,
  softmaxRule,
} from './common.ts';

/** OLMoE: norm over the whole q and k vectors; softmax router, not renormalised (spec/model-families.md 3.1). */
export const olmoe: ModelFamily = {
  modelTypes: ['olmoe'],
  parse: (config) => {
    if (config.has('clip_qkv')) config.unsupported('clip_qkv', 'no clipping of q, k, v');
    const shell = readShell(config);
    const activation = readActivation(config);
    const bias = config.boolean(['attention_bias'], false);
    const experts = config.count(['num_experts']);
    const topK = config.count(['num_experts_per_tok']);
    const width = config.count(['intermediate_size']);
    const rule = softmaxRule(config.boolean(['norm_topk_prob'], false));
    return decoder(
      'olmoe',
      config,
      shell,
      layers(shell, (_, prefix) => ({
        ...norms(prefix),
        attention: attention(prefix, shell, { norm: 'vector', qkvBias: bias, outBias: bias }),
        mlp: {
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
