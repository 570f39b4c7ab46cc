import type { ConfigValues } from '../config.ts';
import type { BuiltInFamily } from '../family.ts';
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

/** Without `num_key_value_heads`, which defaults to the number of heads, also for Granite. */
const OLMOE_DEFAULTS: ConfigValues = {
  vocab_size: 50_304,
  hidden_size: 2048,
  intermediate_size: 2048,
  num_hidden_layers: 16,
  num_attention_heads: 16,
  hidden_act: 'silu',
  max_position_embeddings: 4096,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false,
  rope_theta: 10_000,
  attention_bias: false,
  num_experts_per_tok: 8,
  num_experts: 64,
  norm_topk_prob: false,
};

/** OLMoE: norm over the whole q and k vectors, which may be clipped; softmax router without renormalisation (arXiv:2409.02060). */
export const olmoe: BuiltInFamily = {
  modelTypes: ['olmoe'],
  defaults: new Map([['olmoe', OLMOE_DEFAULTS]]),
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
