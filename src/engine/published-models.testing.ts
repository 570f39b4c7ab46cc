/**
 * The configs of published models. What a config has as its class does (transformers' defaults) is left out, and so is
 * what changes no size. A model is a row here; `npm run models` writes the table of docs/MODELS.md anew. Not part of the
 * library.
 */
import type { JsonObject } from '../io/json-file.ts';
import type { WeightDtype } from '../weights/dtypes.ts';

/** A published model. */
export interface PublishedModel {
  readonly name: string; // as on the Hugging Face hub, without its owner
  readonly config: JsonObject & { readonly model_type: string };
  readonly experts?: WeightDtype; // how its files store experts, where they have one form only
}

const GRANITE_3 = {
  model_type: 'granitemoe',
  vocab_size: 49_155,
  intermediate_size: 512,
  num_key_value_heads: 8,
  num_experts_per_tok: 8,
  max_position_embeddings: 131_072,
  rope_theta: 1_500_000,
  tie_word_embeddings: true,
};

const GRANITE_4 = {
  model_type: 'granitemoehybrid',
  vocab_size: 100_352,
  num_hidden_layers: 40,
  layer_types: layerTypes(40, [5, 15, 25, 35], ['attention', 'mamba']),
  mamba_d_state: 128,
  mamba_d_head: 64,
  max_position_embeddings: 131_072,
  tie_word_embeddings: true,
};

const LFM2 = {
  model_type: 'lfm2_moe',
  num_hidden_layers: 24,
  layer_types: layerTypes(24, [2, 6, 10, 14, 18, 21], ['full_attention', 'conv']),
};

const DOGE = {
  model_type: 'doge',
  is_moe: true,
  vocab_size: 128_256,
  hidden_act: 'silu',
  rms_norm_eps: 1e-6,
  max_position_embeddings: 2048,
  rope_theta: 10_000,
  tie_word_embeddings: true,
};

/** Not a class of transformers: nothing is left out. */
const SMALLTHINKER = {
  model_type: 'smallthinker',
  vocab_size: 151_936,
  head_dim: 128,
  rms_norm_eps: 1e-6,
  rope_theta: 1_500_000,
  moe_ffn_hidden_size: 768,
};

/** DeepSeek-V2-Lite and what has its sizes: queries have no latents. */
const DEEPSEEK_LITE = {
  hidden_size: 2048,
  moe_intermediate_size: 1408,
  num_hidden_layers: 27,
  num_attention_heads: 16,
  q_lora_rank: null,
  n_routed_experts: 64,
  n_shared_experts: 2,
  num_experts_per_tok: 6,
  first_k_dense_replace: 1,
};

const LING = {
  hidden_size: 2048,
  num_attention_heads: 16,
  num_key_value_heads: 4,
  head_dim: 128,
  rms_norm_eps: 1e-6,
  rope_theta: 600_000,
  max_position_embeddings: 32_768,
};

const QWEN_HYBRID = { max_position_embeddings: 262_144, rope_theta: 10_000_000 };

export const PUBLISHED_MODELS: readonly PublishedModel[] = [
  {
    name: 'Doge-40M-MoE',
    config: {
      ...DOGE,
      hidden_size: 256,
      intermediate_size: 768,
      num_hidden_layers: 8,
      num_attention_heads: 2,
      num_key_value_heads: 1,
      num_experts: 1024,
      num_experts_per_tok: 8,
    },
  },
  {
    name: 'Doge-180M-MoE',
    config: {
      ...DOGE,
      hidden_size: 512,
      intermediate_size: 1536,
      num_hidden_layers: 16,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      num_experts: 4096,
      num_experts_per_tok: 16,
    },
  },
  {
    name: 'SmallThinker-4B-A0.6B',
    config: {
      ...SMALLTHINKER,
      hidden_size: 1536,
      num_hidden_layers: 32,
      num_attention_heads: 12,
      num_key_value_heads: 2,
      moe_num_primary_experts: 32,
      moe_num_active_primary_experts: 4,
      max_position_embeddings: 32_768,
      tie_word_embeddings: true,
    },
  },
  {
    name: 'SmallThinker-21B-A3B',
    config: {
      ...SMALLTHINKER,
      hidden_size: 2560,
      num_hidden_layers: 52,
      num_attention_heads: 28,
      num_key_value_heads: 4,
      moe_num_primary_experts: 64,
      moe_num_active_primary_experts: 6,
      max_position_embeddings: 16_384,
      tie_word_embeddings: false,
    },
  },
  {
    name: 'granite-3.1-1b-a400m',
    config: {
      ...GRANITE_3,
      hidden_size: 1024,
      num_hidden_layers: 24,
      num_attention_heads: 16,
      num_local_experts: 32,
    },
  },
  {
    name: 'granite-3.1-3b-a800m',
    config: {
      ...GRANITE_3,
      hidden_size: 1536,
      num_hidden_layers: 32,
      num_attention_heads: 24,
      num_local_experts: 40,
    },
  },
  {
    name: 'Trinity-Nano',
    config: {
      model_type: 'afmoe',
      hidden_size: 1024,
      intermediate_size: 3072,
      moe_intermediate_size: 256,
      num_hidden_layers: 56,
      num_dense_layers: 2,
      num_attention_heads: 8,
      num_key_value_heads: 2,
      num_experts: 128,
      num_experts_per_tok: 8,
      num_shared_experts: 1,
    },
  },
  { name: 'OLMoE-1B-7B', config: { model_type: 'olmoe', intermediate_size: 1024 } },
  {
    name: 'granite-4.0-h-tiny',
    config: {
      ...GRANITE_4,
      hidden_size: 1536,
      intermediate_size: 512,
      shared_intermediate_size: 1024,
      num_attention_heads: 12,
      num_key_value_heads: 4,
      num_local_experts: 64,
      num_experts_per_tok: 6,
      mamba_n_heads: 48,
    },
  },
  { name: 'LFM2-8B-A1B', config: LFM2 },
  { name: 'LFM2.5-8B-A1B', config: { ...LFM2, vocab_size: 128_000, rope_theta: 5_000_000 } },
  { name: 'Qwen1.5-MoE-A2.7B', config: { model_type: 'qwen2_moe', rope_theta: 1_000_000 } },
  { name: 'DeepSeekMoE-16B', config: { model_type: 'deepseek', first_k_dense_replace: 1 } },
  {
    name: 'DeepSeek-V2-Lite',
    config: {
      ...DEEPSEEK_LITE,
      model_type: 'deepseek_v2',
      intermediate_size: 10_944,
      max_position_embeddings: 163_840,
    },
  },
  {
    name: 'Moonlight-16B-A3B',
    config: {
      ...DEEPSEEK_LITE,
      model_type: 'deepseek_v3',
      vocab_size: 163_840,
      intermediate_size: 11_264,
      n_group: 1,
      topk_group: 1,
      max_position_embeddings: 8192,
      rope_theta: 50_000,
    },
  },
  {
    name: 'Ling-mini-2.0',
    config: {
      ...LING,
      model_type: 'bailing_moe_v2',
      vocab_size: 157_184,
      intermediate_size: 5120,
      moe_intermediate_size: 512,
      num_hidden_layers: 20,
      num_experts: 256,
      num_shared_experts: 1,
      num_experts_per_tok: 8,
      first_k_dense_replace: 1,
      routed_scaling_factor: 2.5,
      partial_rotary_factor: 0.5,
    },
  },
  {
    name: 'Ling-lite-1.5',
    config: {
      ...LING,
      model_type: 'bailing_moe',
      vocab_size: 126_464,
      moe_intermediate_size: 1408,
      num_hidden_layers: 28,
      num_experts: 64,
      num_shared_experts: 2,
      num_experts_per_tok: 6,
    },
  },
  {
    name: 'gpt-oss-20b',
    config: { model_type: 'gpt_oss', num_hidden_layers: 24, num_local_experts: 32 },
    experts: 'MXFP4',
  },
  { name: 'ERNIE-4.5-21B-A3B', config: { model_type: 'ernie4_5_moe' } },
  { name: 'GLM-4.7-Flash', config: { model_type: 'glm4_moe_lite', rope_theta: 1_000_000 } },
  { name: 'Mellum2-12B-A2.5B', config: { model_type: 'mellum' } },
  {
    name: 'Qwen3-30B-A3B',
    config: {
      model_type: 'qwen3_moe',
      num_hidden_layers: 48,
      head_dim: 128,
      max_position_embeddings: 40_960,
    },
  },
  {
    name: 'Nemotron-3-Nano-30B-A3B',
    config: {
      model_type: 'nemotron_h',
      hidden_size: 2688,
      hybrid_override_pattern: 'MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME',
      num_key_value_heads: 2,
      mamba_num_heads: 64,
      n_routed_experts: 128,
      num_experts_per_tok: 6,
      moe_intermediate_size: 1856,
      moe_shared_expert_intermediate_size: 3712,
      max_position_embeddings: 262_144,
    },
  },
  {
    name: 'granite-4.0-h-small',
    config: {
      ...GRANITE_4,
      hidden_size: 4096,
      intermediate_size: 768,
      shared_intermediate_size: 1536,
      num_attention_heads: 32,
      num_key_value_heads: 8,
      num_local_experts: 72,
      num_experts_per_tok: 10,
      mamba_n_heads: 128,
    },
  },
  { name: 'Qwen3.5-35B-A3B (text)', config: { ...QWEN_HYBRID, model_type: 'qwen3_5_moe_text' } },
  { name: 'Mixtral-8x7B', config: { model_type: 'mixtral', max_position_embeddings: 32_768 } },
  { name: 'Qwen3-Next-80B-A3B', config: { ...QWEN_HYBRID, model_type: 'qwen3_next' } },
  {
    name: 'Hunyuan-A13B',
    config: {
      model_type: 'hunyuan_v1_moe',
      vocab_size: 128_167,
      intermediate_size: 3072,
      num_key_value_heads: 8,
      head_dim: 128,
      num_experts: 64,
      moe_topk: 8,
      max_position_embeddings: 262_144,
      tie_word_embeddings: true,
    },
  },
  {
    name: 'GLM-4.5-Air',
    config: { model_type: 'glm4_moe', head_dim: 128, attention_bias: true, rope_theta: 1_000_000 },
  },
  {
    name: 'dots.llm1',
    config: {
      model_type: 'dots1',
      hidden_size: 4096,
      n_routed_experts: 128,
      n_shared_experts: 2,
      num_experts_per_tok: 6,
      first_k_dense_replace: 1,
      max_position_embeddings: 32_768,
      sliding_window: null,
    },
  },
  {
    name: 'Phi-3.5-MoE',
    config: {
      model_type: 'phimoe',
      vocab_size: 32_064,
      hidden_size: 4096,
      intermediate_size: 6400,
      num_hidden_layers: 32,
      num_attention_heads: 32,
      num_key_value_heads: 8,
      num_local_experts: 16,
      num_experts_per_tok: 2,
      hidden_act: 'silu',
      attention_bias: true,
      lm_head_bias: true,
      sliding_window: null,
      rms_norm_eps: 1e-5,
      rope_theta: 10_000,
      max_position_embeddings: 131_072,
      tie_word_embeddings: false,
    },
  },
  {
    name: 'gemma-4-26B-A4B (text)',
    config: {
      model_type: 'gemma4_text',
      vocab_size: 262_144,
      hidden_size: 2816,
      intermediate_size: 2112,
      num_hidden_layers: 30,
      num_attention_heads: 16,
      num_key_value_heads: 8,
      head_dim: 256,
      num_global_key_value_heads: 2,
      global_head_dim: 512,
      attention_k_eq_v: true,
      enable_moe_block: true,
      num_experts: 128,
      top_k_experts: 8,
      moe_intermediate_size: 704,
      hidden_activation: 'gelu_pytorch_tanh',
      rms_norm_eps: 1e-6,
      layer_types: layerTypes(30, [5, 11, 17, 23, 29], ['full_attention', 'sliding_attention']),
      sliding_window: 1024,
      rope_parameters: {
        full_attention: { partial_rotary_factor: 0.25, rope_theta: 1_000_000, rope_type: 'proportional' },
        sliding_attention: { rope_theta: 10_000, rope_type: 'default' },
      },
      final_logit_softcapping: 30,
      max_position_embeddings: 262_144,
      tie_word_embeddings: true,
    },
  },
  {
    name: 'Llama-4-Scout (text)',
    config: {
      model_type: 'llama4_text',
      vocab_size: 202_048,
      hidden_size: 5120,
      intermediate_size: 8192,
      intermediate_size_mlp: 16_384,
      num_hidden_layers: 48,
      num_attention_heads: 40,
      num_key_value_heads: 8,
      head_dim: 128,
      num_local_experts: 16,
      num_experts_per_tok: 1,
      interleave_moe_layer_step: 1,
      hidden_act: 'silu',
      rms_norm_eps: 1e-5,
      rope_theta: 500_000,
      max_position_embeddings: 10_485_760,
      tie_word_embeddings: false,
    },
  },
  { name: 'MiniMax-M2', config: { model_type: 'minimax_m2', rotary_dim: 64 } },
  { name: 'DeepSeek-V3', config: { model_type: 'deepseek_v3', max_position_embeddings: 163_840 } },
];

/** @throws where there is no model of this name */
export function publishedConfig(name: string): PublishedModel['config'] {
  const found = PUBLISHED_MODELS.find((model) => model.name === name);
  if (!found) throw new Error(`no published model "${name}"`);
  return found.config;
}

/** `layer_types`: some layers are of one kind, the others of the other. */
function layerTypes(layers: number, some: readonly number[], kinds: readonly [string, string]): string[] {
  const [one, other] = kinds;
  return Array.from({ length: layers }, (_, layer) => (some.includes(layer) ? one : other));
}
