/** As class-defaults.ts, for the classes with latent attention. */
import type { ConfigValues } from './config.ts';

/** The defaults that many classes share. */
export const COMMON: ConfigValues = {
  hidden_act: 'silu',
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  tie_word_embeddings: false,
  attention_bias: false,
};

const DEEPSEEK_V2: ConfigValues = {
  ...COMMON,
  vocab_size: 102_400,
  hidden_size: 4096,
  intermediate_size: 11_008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  max_position_embeddings: 2048,
  mlp_bias: false,
  first_k_dense_replace: 0,
  kv_lora_rank: 512,
  q_lora_rank: 1536,
  n_routed_experts: 64,
  n_shared_experts: 2,
  qk_nope_head_dim: 128,
  qk_rope_head_dim: 64,
  routed_scaling_factor: 1,
  topk_method: 'greedy',
  norm_topk_prob: false,
  v_head_dim: 128,
  moe_intermediate_size: 1407,
};

const DEEPSEEK_V3: ConfigValues = {
  ...COMMON,
  vocab_size: 129_280,
  hidden_size: 7168,
  intermediate_size: 18_432,
  moe_intermediate_size: 2048,
  num_hidden_layers: 61,
  num_attention_heads: 128,
  num_key_value_heads: 128,
  n_shared_experts: 1,
  n_routed_experts: 256,
  routed_scaling_factor: 2.5,
  kv_lora_rank: 512,
  q_lora_rank: 1536,
  qk_rope_head_dim: 64,
  v_head_dim: 128,
  qk_nope_head_dim: 128,
  n_group: 8,
  topk_group: 4,
  num_experts_per_tok: 8,
  first_k_dense_replace: 3,
  norm_topk_prob: true,
  max_position_embeddings: 4096,
  rope_interleave: true,
};

const GLM4_MOE_LITE: ConfigValues = {
  ...COMMON,
  vocab_size: 154_880,
  hidden_size: 2048,
  intermediate_size: 10_240,
  moe_intermediate_size: 1536,
  num_hidden_layers: 47,
  num_attention_heads: 20,
  num_key_value_heads: 20,
  n_shared_experts: 1,
  n_routed_experts: 64,
  routed_scaling_factor: 1.8,
  kv_lora_rank: 512,
  q_lora_rank: 768,
  qk_rope_head_dim: 64,
  v_head_dim: 256,
  qk_nope_head_dim: 192,
  n_group: 1,
  topk_group: 1,
  num_experts_per_tok: 4,
  norm_topk_prob: true,
  max_position_embeddings: 202_752,
  rms_norm_eps: 1e-5,
  rope_interleave: true,
};

/** Class defaults by `model_type`. */
export const LATENT_DEFAULTS: readonly (readonly [string, ConfigValues])[] = [
  ['deepseek_v2', DEEPSEEK_V2],
  ['deepseek_v3', DEEPSEEK_V3],
  ['glm4_moe_lite', GLM4_MOE_LITE],
];
