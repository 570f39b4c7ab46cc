/**
 * Defaults of transformers' config classes for keys that are absent from config.json, as in files of other tools and older
 * files. From transformers 5.18.0, `configuration_*.py`. Ids of special tokens are not included: they come from files.
 */
import type { ConfigValues } from './config.ts';

/** Transformers has no class for OmniMoE; these are the model's own, without sizes. */
const OMNIMOE: ConfigValues = {
  hidden_act: 'silu',
  max_position_embeddings: 4096,
  tie_word_embeddings: false,
  rope_theta: 10_000,
  router_norm: 'batch_norm',
  router_norm_eps: 1e-5,
  embed_roles: 'up_is_input',
  qk_norm: 'none',
  norm_topk_prob: false,
};

const MIXTRAL: ConfigValues = {
  vocab_size: 32_000,
  hidden_size: 4096,
  intermediate_size: 14_336,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  hidden_act: 'silu',
  max_position_embeddings: 131_072,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false,
  rope_theta: 1_000_000,
  num_experts_per_tok: 2,
  num_local_experts: 8,
};

const QWEN2_MOE: ConfigValues = {
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

const QWEN3_MOE: ConfigValues = {
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

/** Without `num_key_value_heads`, which defaults to the number of heads, also for Granite. */
const OLMOE: ConfigValues = {
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

const GRANITE_MOE: ConfigValues = {
  vocab_size: 32_000,
  hidden_size: 4096,
  intermediate_size: 11_008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  hidden_act: 'silu',
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: false,
  rope_theta: 10_000,
  attention_bias: false,
  embedding_multiplier: 1,
  logits_scaling: 1,
  residual_multiplier: 1,
  attention_multiplier: 1,
  num_local_experts: 8,
  num_experts_per_tok: 2,
};

/** Class defaults by `model_type`. */
export const CLASS_DEFAULTS: ReadonlyMap<string, ConfigValues> = new Map([
  ['omnimoe', OMNIMOE],
  ['mixtral', MIXTRAL],
  ['qwen2_moe', QWEN2_MOE],
  ['qwen3_moe', QWEN3_MOE],
  ['olmoe', OLMOE],
  ['granitemoe', GRANITE_MOE],
]);
