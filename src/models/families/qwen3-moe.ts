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
import { qwenMlps, sparseMlp } from './sparse-mlp.ts';
import { readWindows } from './windows.ts';

const QWEN3_MOE_DEFAULTS: ConfigValues = {
  vocab_size: 151_936,
  hidden_size: 2048,
  intermediate_size: 6144,
  num_hidden_layers: 24,
  num_attention_heads: 32,
  num_key_value_heads: 4,
  hidden_act: 'silu',
  max_position_embeddings: 32_768,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: false,
  rope_theta: 10_000,
  attention_bias: false,
  use_sliding_window: false,
  sliding_window: 4096,
  decoder_sparse_step: 1,
  moe_intermediate_size: 768,
  num_experts_per_tok: 8,
  num_experts: 128,
  norm_topk_prob: false,
};

/** Qwen3-MoE: per-head q/k norm; softmax router, renormalised according to the config (arXiv:2505.09388). */
export const qwen3Moe: BuiltInFamily = {
  modelTypes: ['qwen3_moe'],
  defaults: new Map([['qwen3_moe', QWEN3_MOE_DEFAULTS]]),
  parse: (config, file) => {
    const shell = readShell(config, file);
    const activation = readActivation(config);
    const isOn = config.boolean(['use_sliding_window']);
    const windows = readWindows(config, shell.layerCount, { isOn });
    const bias = config.boolean(['attention_bias']);
    const mlp = {
      ...readExpertCounts(config),
      width: readWidth(config, 'moe_intermediate_size'),
      activation,
      renormalise: config.boolean(['norm_topk_prob']),
    };
    const mlpOf = qwenMlps(config, shell, activation);
    return decoder(
      'qwen3_moe',
      config,
      shell,
      layers(shell, (layer, prefix) =>
        layerOf(
          prefix,
          attention(prefix, shell, {
            norm: 'head',
            qkvBias: bias,
            outBias: bias,
            window: windows[layer] ?? 0,
          }),
          mlpOf(layer, prefix, () => sparseMlp(prefix, shell, mlp)),
        ),
      ),
    );
  },
};
