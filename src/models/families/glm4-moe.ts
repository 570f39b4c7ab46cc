import type { ConfigValues } from '../config.ts';
import { USUAL_DEFAULTS } from '../class-defaults.ts';
import type { BuiltInFamily } from '../family.ts';
import { attention, decoder, layerOf, layers, readActivation, readShell } from './common.ts';
import { deepseekMlps } from './deepseek-mlp.ts';
import { refuseWindow } from './windows.ts';

const GLM4_MOE_DEFAULTS: ConfigValues = {
  ...USUAL_DEFAULTS,
  vocab_size: 151_552,
  hidden_size: 4096,
  intermediate_size: 10_944,
  num_hidden_layers: 46,
  num_attention_heads: 96,
  num_key_value_heads: 8,
  max_position_embeddings: 131_072,
  rms_norm_eps: 1e-5,
  moe_intermediate_size: 1408,
  num_experts_per_tok: 8,
  n_shared_experts: 1,
  n_routed_experts: 128,
  routed_scaling_factor: 1,
  n_group: 1,
  topk_group: 1,
  first_k_dense_replace: 1,
  norm_topk_prob: true,
  use_qk_norm: false,
  partial_rotary_factor: 0.5,
};

/** GLM-4.5: half of each head rotated; q, k, v biases; experts as in DeepSeek-V3 (arXiv:2508.06471). */
export const glm4Moe: BuiltInFamily = {
  modelTypes: ['glm4_moe'],
  defaults: new Map([['glm4_moe', GLM4_MOE_DEFAULTS]]),
  parse: (config, file) => {
    const shell = readShell(config, file, { partial: true });
    refuseWindow(config, shell.layerCount);
    const norm = config.boolean(['use_qk_norm']) ? 'head' : 'none';
    const qkvBias = config.boolean(['attention_bias']);
    const mlpOf = deepseekMlps(config, shell, readActivation(config));
    return decoder(
      'glm4_moe',
      config,
      shell,
      layers(shell, (layer, prefix) =>
        layerOf(prefix, attention(prefix, shell, { norm, qkvBias }), mlpOf(layer, prefix)),
      ),
    );
  },
};
