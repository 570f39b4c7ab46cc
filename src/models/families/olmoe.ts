import type { ConfigFamily } from '../family.ts';
import {
  attention,
  decoder,
  layerOf,
  layers,
  readActivation,
  readExpertCounts,
  readShell,
  readWidth,
} from './common.ts';
import { sparseMlp } from './sparse-mlp.ts';
import { refuseWindow } from './windows.ts';

/** OLMoE: norm over the whole q and k vectors, which may be clipped; softmax router without renormalisation (arXiv:2409.02060). */
export const olmoe: ConfigFamily = {
  modelTypes: ['olmoe'],
  parse: (config, file) => {
    const clip = config.has('clip_qkv') ? config.positive(['clip_qkv']) : undefined;
    const shell = readShell(config, file);
    refuseWindow(config, shell.layerCount);
    const activation = readActivation(config);
    const bias = config.boolean(['attention_bias']);
    const mlp = {
      ...readExpertCounts(config),
      width: readWidth(config, 'intermediate_size'),
      activation,
      renormalise: config.boolean(['norm_topk_prob']),
    };
    return decoder(
      'olmoe',
      config,
      shell,
      layers(shell, (_, prefix) =>
        layerOf(
          prefix,
          attention(prefix, shell, { norm: 'vector', qkvBias: bias, outBias: bias, clip }),
          sparseMlp(prefix, shell, mlp),
        ),
      ),
    );
  },
};
