/** The architectures of GGUF files: the config of each as Hugging Face writes it, and the names of its tensors. */
import type { JsonObject } from '../../io/json-file.ts';
import type { GgufKeys } from './keys.ts';

/** How the files of an architecture become a model of one of the families. */
export interface Architecture {
  readonly modelType: string; // `model_type` of the family
  /** What the config has beside the usual keys. */
  readonly config: (keys: GgufKeys) => JsonObject;
  /** Names of a layer's modules that are not the usual ones: GGUF's to Hugging Face's. `{expert}` where experts are stacked. */
  readonly modules?: Readonly<Record<string, string>>;
  /** The converter has put the rows of q and k in pairs: row 2i of a head was row i, row 2i + 1 was row i + headDim / 2. */
  readonly hasPairedRows?: boolean;
}

/** The names of a layer's modules in most architectures. */
export const MODULES: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  attn_q_norm: 'self_attn.q_norm',
  attn_k_norm: 'self_attn.k_norm',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
  ffn_gate_inp: 'mlp.gate',
  ffn_gate_exps: 'mlp.experts.{expert}.gate_proj',
  ffn_up_exps: 'mlp.experts.{expert}.up_proj',
  ffn_down_exps: 'mlp.experts.{expert}.down_proj',
  ffn_gate_shexp: 'mlp.shared_expert.gate_proj',
  ffn_up_shexp: 'mlp.shared_expert.up_proj',
  ffn_down_shexp: 'mlp.shared_expert.down_proj',
  ffn_gate_inp_shexp: 'mlp.shared_expert_gate',
};

const experts = (keys: GgufKeys): JsonObject => ({
  num_experts: keys.count('expert_count'),
  num_experts_per_tok: keys.count('expert_used_count'),
});

/** Older files have the width of experts under the name of the dense MLP's. */
const expertWidth = (keys: GgufKeys): number =>
  keys.optionalCount('expert_feed_forward_length') ?? keys.count('feed_forward_length');

const mixtral: Architecture = {
  modelType: 'mixtral',
  config: (keys) => ({
    num_local_experts: keys.count('expert_count'),
    num_experts_per_tok: keys.count('expert_used_count'),
    intermediate_size: expertWidth(keys),
    sliding_window: null,
  }),
  hasPairedRows: true,
  modules: {
    ffn_gate_inp: 'block_sparse_moe.gate',
    ffn_gate_exps: 'block_sparse_moe.experts.{expert}.w1',
    ffn_up_exps: 'block_sparse_moe.experts.{expert}.w3',
    ffn_down_exps: 'block_sparse_moe.experts.{expert}.w2',
  },
};

/** By `general.architecture`. A function where it depends on other keys. */
const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  llama: mixtral,
  olmoe: {
    modelType: 'olmoe',
    config: (keys) => ({
      ...experts(keys),
      intermediate_size: expertWidth(keys),
      norm_topk_prob: false, // llama.cpp's graph of the architecture
    }),
  },
  qwen2moe: {
    modelType: 'qwen2_moe',
    config: (keys) => ({
      ...experts(keys),
      moe_intermediate_size: expertWidth(keys),
      shared_expert_intermediate_size: keys.count('expert_shared_feed_forward_length'),
      norm_topk_prob: false,
      use_sliding_window: false,
    }),
  },
  qwen3moe: {
    modelType: 'qwen3_moe',
    config: (keys) => ({
      ...experts(keys),
      moe_intermediate_size: expertWidth(keys),
      norm_topk_prob: true,
      use_sliding_window: false,
    }),
  },
  granitemoe: {
    modelType: 'granitemoe',
    config: (keys) => ({
      num_local_experts: keys.count('expert_count'),
      num_experts_per_tok: keys.count('expert_used_count'),
      intermediate_size: expertWidth(keys),
      attention_multiplier: keys.number('attention.scale'),
      embedding_multiplier: keys.number('embedding_scale'),
      residual_multiplier: keys.number('residual_scale'),
      logits_scaling: keys.number('logit_scale'),
    }),
    hasPairedRows: true,
    modules: {
      ffn_gate_inp: 'block_sparse_moe.router.layer',
      ffn_gate_exps: 'block_sparse_moe.experts.{expert}.gate_proj',
      ffn_up_exps: 'block_sparse_moe.experts.{expert}.up_proj',
      ffn_down_exps: 'block_sparse_moe.experts.{expert}.down_proj',
    },
  },
};

/** Names of the architectures that can be read. */
export const ARCHITECTURE_NAMES: readonly string[] = Object.keys(ARCHITECTURES);

/** The architecture of a file; undefined where there is none of this name. */
export function architecture(name: string): Architecture | undefined {
  return Object.hasOwn(ARCHITECTURES, name) ? ARCHITECTURES[name] : undefined;
}

/** The config of a file as Hugging Face's `config.json` has it. */
export function configOf({ modelType, config }: Architecture, keys: GgufKeys): JsonObject {
  const bos = keys.token('bos_token_id');
  const eos = keys.token('eos_token_id');
  const headDim = keys.optionalCount('attention.key_length');
  const heads = keys.count('attention.head_count');
  return {
    model_type: modelType,
    hidden_size: keys.count('embedding_length'),
    num_hidden_layers: keys.count('block_count'),
    num_attention_heads: heads,
    num_key_value_heads: keys.optionalCount('attention.head_count_kv') ?? heads,
    ...(headDim === undefined ? {} : { head_dim: headDim }),
    rms_norm_eps: keys.number('attention.layer_norm_rms_epsilon'),
    rope_theta: keys.optionalNumber('rope.freq_base') ?? 10_000,
    max_position_embeddings: keys.count('context_length'),
    vocab_size: keys.vocab,
    hidden_act: 'silu',
    tie_word_embeddings: keys.isTied,
    ...keys.rope(),
    ...(bos === undefined ? {} : { bos_token_id: bos }),
    ...(eos === undefined ? {} : { eos_token_id: eos }),
    ...config(keys),
  };
}
