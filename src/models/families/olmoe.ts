import type { ModelFamily } from '../family.ts';
import {
  attention,
  decoder,
  layers,
  norms,
  readActivation,
  readExpertCounts,
  readShell,
  readWidth,
  softmaxRule,
} from './common.ts';
import { sparseMlp } from './sparse-mlp.ts';
import { refuseWindow } from './windows.ts';

/** OLMoE: norm over the whole q and k vectors; softmax router, not renormalised (spec/model-families.md 3.1). */
export const olmoe: ModelFamily = {
  modelTypes: ['olmoe'],
  parse: (config, file) => {
    if (config.has('clip_qkv')) config.unsupported('clip_qkv', 'no clipping of q, k, v');
    const shell = readShell(config, file);
    refuseWindow(config, shell.layerCount);
    const activation = readActivation(config);
    const bias = config.boolean(['attention_bias']);
    const rule = softmaxRule(config.boolean(['norm_topk_prob']));
    const mlp = {
      ...readExpertCounts(config),
      width: readWidth(config, 'intermediate_size'),
      activation,
      rule,
    };
    return decoder(
      'olmoe',
      config,
      shell,
      layers(shell, (_, prefix) => ({
        ...norms(prefix),
        attention: attention(prefix, shell, { norm: 'vector', qkvBias: bias, outBias: bias }),
        mlp: sparseMlp(prefix, shell, mlp),
      })),
    );
  },
};
