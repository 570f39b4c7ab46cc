import type { ConfigValues } from '../config.ts';
import type { BuiltInFamily } from '../family.ts';
import {
  attention,
  decoder,
  gatedMlp,
  layerOf,
  layers,
  readActivation,
  readExpertCounts,
  readShell,
  readWidth,
} from './common.ts';
import { qwenMlps, sparseMlp } from './sparse-mlp.ts';
import { readWindows } from './windows.ts';

const QWEN2_MOE_DEFAULTS: ConfigValues = {
  vocab_size: 151_936,
  hidden_size: 2048,
  intermediate_size: 5632,
  num_hidden_layers: 24,
  num_attention_heads: 16,
  num_key_value_heads: 16,
  hidden_act: 'silu',
  max_position_embeddings: 32_768,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: false,
  rope_theta: 10_000,
  use_sliding_window: false,
  sliding_window: 4096,
  max_window_layers: 28,
  decoder_sparse_step: 1,
  moe_intermediate_size: 1408,
  shared_expert_intermediate_size: 5632,
  num_experts_per_tok: 4,
  num_experts: 60,
  norm_topk_prob: false,
  qkv_bias: true,
};

/** Qwen1.5-MoE and Qwen2-MoE: q, k, v biases; a shared expert with a sigmoid gate (arXiv:2407.10671). */
export const qwen2Moe: BuiltInFamily = {
  modelTypes: ['qwen2_moe'],
  defaults: new Map([['qwen2_moe', QWEN2_MOE_DEFAULTS]]),
  parse: (config, file) => {
    const shell = readShell(config, file);
    const activation = readActivation(config);
    const slidingLayers = config.integers(['max_window_layers'])[0] ?? 0;
    const windows = readWindows(config, shell.layerCount, {
      isOn: config.boolean(['use_sliding_window']),
      slides: (layer) => layer % 2 === 0 && layer < slidingLayers,
      followsTypes: true,
    });
    const sharedWidth = readWidth(config, 'shared_expert_intermediate_size');
    const mlp = {
      ...readExpertCounts(config),
      width: readWidth(config, 'moe_intermediate_size'),
      activation,
      renormalise: config.boolean(['norm_topk_prob']),
    };
    const qkvBias = config.boolean(['qkv_bias']);
    const mlpOf = qwenMlps(config, shell, activation);
    return decoder(
      'qwen2_moe',
      config,
      shell,
      layers(shell, (layer, prefix) =>
        layerOf(
          prefix,
          attention(prefix, shell, { qkvBias, window: windows[layer] ?? 0 }),
          mlpOf(layer, prefix, () => ({
            ...sparseMlp(prefix, shell, mlp),
            shared: {
              ...gatedMlp(`${prefix}mlp.shared_expert.`, shell.hidden, sharedWidth, activation),
              gate: `${prefix}mlp.shared_expert_gate.weight`,
            },
          })),
        ),
      ),
    );
  },
};
