/**
 * Defaults of transformers' config classes for keys that are absent from config.json, as in files of other tools and older
 * files. From transformers 5.18.0, `configuration_*.py`. Ids of special tokens are not included: they come from files.
 */
import { COMMON, DEEPSEEK_DEFAULTS } from './class-defaults-deepseek.ts';
import { RECURRENT_DEFAULTS } from './class-defaults-recurrent.ts';
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

const GRANITEMOESHARED: ConfigValues = {
  ...GRANITE_MOE,
  shared_intermediate_size: 0,
};

const GRANITEMOE_SWA: ConfigValues = {
  ...GRANITEMOESHARED,
  sliding_window: 128,
};

const LLAMA: ConfigValues = {
  ...COMMON,
  vocab_size: 32_000,
  hidden_size: 4096,
  intermediate_size: 11_008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  max_position_embeddings: 2048,
  mlp_bias: false,
};

const QWEN2: ConfigValues = {
  vocab_size: 151_936,
  hidden_size: 4096,
  intermediate_size: 22_016,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 32,
  hidden_act: 'silu',
  max_position_embeddings: 32_768,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: false,
  use_sliding_window: false,
  sliding_window: 4096,
  max_window_layers: 28,
  rope_theta: 10_000,
};

const QWEN3: ConfigValues = {
  ...COMMON,
  vocab_size: 151_936,
  hidden_size: 4096,
  intermediate_size: 22_016,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 32,
  head_dim: 128,
  max_position_embeddings: 32_768,
  use_sliding_window: false,
  sliding_window: 4096,
  max_window_layers: 28,
};

const DOTS1: ConfigValues = {
  ...COMMON,
  vocab_size: 152_064,
  hidden_size: 4608,
  intermediate_size: 10_944,
  moe_intermediate_size: 1408,
  num_hidden_layers: 62,
  num_attention_heads: 32,
  num_key_value_heads: 32,
  n_group: 1,
  topk_group: 1,
  first_k_dense_replace: 0,
  norm_topk_prob: false,
  max_position_embeddings: 2048,
  routed_scaling_factor: 1,
  sliding_window: 4096,
  max_window_layers: 62,
};

const GLM4_MOE: ConfigValues = {
  ...COMMON,
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

const ERNIE4_5_MOE: ConfigValues = {
  rope_theta: 500_000,
  vocab_size: 103_424,
  hidden_size: 2560,
  intermediate_size: 12_288,
  num_hidden_layers: 28,
  num_attention_heads: 20,
  num_key_value_heads: 4,
  hidden_act: 'silu',
  max_position_embeddings: 131_072,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
  use_bias: false,
  moe_intermediate_size: 1536,
  moe_k: 6,
  moe_num_experts: 64,
  moe_num_shared_experts: 2,
  moe_layer_start_index: 1,
  moe_layer_end_index: -1,
  moe_layer_interval: 1,
  moe_norm_min: 1e-12,
};

const MINIMAX_M2: ConfigValues = {
  rope_theta: 5_000_000,
  vocab_size: 200_064,
  hidden_size: 3072,
  intermediate_size: 1536,
  num_hidden_layers: 62,
  num_attention_heads: 48,
  num_key_value_heads: 8,
  head_dim: 128,
  hidden_act: 'silu',
  max_position_embeddings: 196_608,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: false,
  num_experts_per_tok: 8,
  num_local_experts: 256,
};

const HUNYUAN_V1_MOE: ConfigValues = {
  ...COMMON,
  vocab_size: 290_943,
  hidden_size: 4096,
  intermediate_size: 11_008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-5,
  num_experts: 1,
  moe_topk: 1,
};

const GPT_OSS: ConfigValues = {
  ...COMMON,
  rms_norm_eps: 1e-5,
  rope_theta: 150_000,
  attention_bias: true,
  num_hidden_layers: 36,
  num_local_experts: 128,
  vocab_size: 201_088,
  hidden_size: 2880,
  intermediate_size: 2880,
  head_dim: 64,
  num_attention_heads: 64,
  num_key_value_heads: 8,
  sliding_window: 128,
  max_position_embeddings: 131_072,
  num_experts_per_tok: 4,
};

const LFM2_MOE: ConfigValues = {
  rope_theta: 1_000_000,
  tie_word_embeddings: true,
  vocab_size: 65_536,
  hidden_size: 2048,
  intermediate_size: 7168,
  moe_intermediate_size: 1792,
  num_hidden_layers: 32,
  max_position_embeddings: 128_000,
  norm_eps: 1e-5,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  conv_bias: false,
  conv_L_cache: 3,
  num_dense_layers: 2,
  num_experts_per_tok: 4,
  num_experts: 32,
  use_expert_bias: true,
  routed_scaling_factor: 1,
  norm_topk_prob: true,
};

/** Without `rope_theta`: bases of positions are in `rope_parameters` only. */
const MELLUM: ConfigValues = {
  vocab_size: 98_304,
  hidden_size: 2304,
  intermediate_size: 7168,
  num_hidden_layers: 28,
  num_attention_heads: 32,
  num_key_value_heads: 4,
  head_dim: 128,
  hidden_act: 'silu',
  max_position_embeddings: 131_072,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: false,
  attention_bias: false,
  sliding_window: 1024,
  moe_intermediate_size: 896,
  num_experts_per_tok: 8,
  num_experts: 64,
  norm_topk_prob: true,
};

/** Not classes of transformers, but of the models' publisher; both versions have these. */
const BAILING: ConfigValues = {
  hidden_act: 'silu',
  tie_word_embeddings: false,
  n_group: 8,
  topk_group: 4,
};

const MISTRAL: ConfigValues = {
  vocab_size: 32_000,
  hidden_size: 4096,
  intermediate_size: 14_336,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  hidden_act: 'silu',
  max_position_embeddings: 131_072,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: false,
  rope_theta: 10_000,
  sliding_window: 4096,
};

/** Class defaults by `model_type`. */
export const CLASS_DEFAULTS: ReadonlyMap<string, ConfigValues> = new Map([
  ['omnimoe', OMNIMOE],
  ['mixtral', MIXTRAL],
  ['qwen2_moe', QWEN2_MOE],
  ['qwen3_moe', QWEN3_MOE],
  ['olmoe', OLMOE],
  ['granitemoe', GRANITE_MOE],
  ['granitemoeshared', GRANITEMOESHARED],
  ['granitemoe_swa', GRANITEMOE_SWA],
  ['llama', LLAMA],
  ['mistral', MISTRAL],
  ['qwen2', QWEN2],
  ['qwen3', QWEN3],
  ['dots1', DOTS1],
  ['glm4_moe', GLM4_MOE],
  ['ernie4_5_moe', ERNIE4_5_MOE],
  ['minimax_m2', MINIMAX_M2],
  ['hunyuan_v1_moe', HUNYUAN_V1_MOE],
  ['gpt_oss', GPT_OSS],
  ['lfm2_moe', LFM2_MOE],
  ['mellum', MELLUM],
  ['bailing_moe', BAILING],
  ['bailing_moe_v2', BAILING],
  ...DEEPSEEK_DEFAULTS,
  ...RECURRENT_DEFAULTS,
]);
