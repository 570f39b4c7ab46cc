/** Errors about a model in the words of its GGUF file: families know the names of Hugging Face's configs and tensors only. */
import { AtomoeError } from '../../errors.ts';
import type { JsonObject } from '../../io/json-file.ts';
import type { Architecture } from './architecture.ts';
import type { GgufKeys } from './keys.ts';
import { storedName } from './names.ts';

const EXPERTS = ['expert_count'];
const CHOSEN = ['expert_used_count'];
const SHARED = ['expert_shared_count'];
const SHARED_WIDTH = ['expert_shared_feed_forward_length'];
const DENSE_LAYERS = ['leading_dense_block_count'];
const ROTARY = ['rope.dimension_count'];
const WIDTH = ['feed_forward_length'];
const EXPERT_WIDTH = ['expert_feed_forward_length', 'feed_forward_length'];

/** Keys of configs, and what they are made of: the first that the file has. */
const KEYS: ReadonlyMap<string, readonly string[]> = new Map([
  ['hidden_size', ['embedding_length']],
  ['num_hidden_layers', ['block_count']],
  ['num_attention_heads', ['attention.head_count']],
  ['num_key_value_heads', ['attention.head_count_kv']],
  ['head_dim', ['attention.key_length']],
  ['v_head_dim', ['attention.value_length_mla', 'attention.value_length']],
  ['qk_nope_head_dim', ['attention.key_length_mla', 'attention.key_length']],
  ['qk_rope_head_dim', ROTARY],
  ['partial_rotary_factor', ROTARY],
  ['rotary_dim', ROTARY],
  ['kv_lora_rank', ['attention.kv_lora_rank']],
  ['q_lora_rank', ['attention.q_lora_rank']],
  ['rms_norm_eps', ['attention.layer_norm_rms_epsilon']],
  ['norm_eps', ['attention.layer_norm_rms_epsilon']],
  ['clip_qkv', ['attention.clamp_kqv']],
  ['sliding_window', ['attention.sliding_window']],
  ['layer_types', ['attention.sliding_window_pattern', 'attention.head_count_kv']],
  ['rope_theta', ['rope.freq_base']],
  ['rope_scaling', ['rope.scaling.type']],
  ['original_max_position_embeddings', ['rope.scaling.original_context_length']],
  ['attention_factor', ['rope.scaling.attn_factor']],
  ['beta_fast', ['rope.scaling.yarn_beta_fast']],
  ['beta_slow', ['rope.scaling.yarn_beta_slow']],
  ['max_position_embeddings', ['context_length']],
  ['moe_intermediate_size', EXPERT_WIDTH],
  ['shared_expert_intermediate_size', SHARED_WIDTH],
  ['shared_intermediate_size', SHARED_WIDTH],
  ['num_experts', EXPERTS],
  ['moe_num_primary_experts', EXPERTS],
  ['moe_num_active_primary_experts', CHOSEN],
  ['moe_ffn_hidden_size', EXPERT_WIDTH],
  ['sliding_window_size', ['attention.sliding_window']],
  ['num_local_experts', EXPERTS],
  ['n_routed_experts', EXPERTS],
  ['moe_num_experts', EXPERTS],
  ['num_experts_per_tok', CHOSEN],
  ['moe_topk', CHOSEN],
  ['moe_k', CHOSEN],
  ['n_shared_experts', SHARED],
  ['num_shared_experts', SHARED],
  ['num_shared_expert', SHARED],
  ['moe_num_shared_experts', SHARED],
  ['first_k_dense_replace', DENSE_LAYERS],
  ['num_dense_layers', DENSE_LAYERS],
  ['moe_layer_start_index', DENSE_LAYERS],
  ['moe_layer_interval', ['interleave_moe_layer_step']],
  ['norm_topk_prob', ['expert_weights_norm']],
  ['routed_scaling_factor', ['expert_weights_scale']],
  ['n_group', ['expert_group_count']],
  ['topk_group', ['expert_group_used_count']],
  ['attention_multiplier', ['attention.scale']],
  ['embedding_multiplier', ['embedding_scale']],
  ['residual_multiplier', ['residual_scale']],
  ['logits_scaling', ['logit_scale']],
  ['conv_L_cache', ['shortconv.l_cache']],
  ['mamba_n_heads', ['ssm.time_step_rank']],
  ['mamba_d_state', ['ssm.state_size']],
  ['mamba_d_conv', ['ssm.conv_kernel']],
  ['mamba_n_groups', ['ssm.group_count']],
]);

const ADVICE = 'the file is damaged or was converted wrongly, choose another';

/** What is needed to find the words of a file. */
export interface WordsOfFile {
  readonly label: string;
  readonly folder: string; // how the label of the folder begins messages
  readonly config: JsonObject;
  readonly keys: GgufKeys;
  readonly architecture: Architecture;
}

/** The error with the file's name, keys and tensors in place of those of config.json and safetensors. */
export function inWordsOfFile(
  error: AtomoeError,
  { label, folder, config, keys, architecture }: WordsOfFile,
): AtomoeError {
  const parts = error.message.split('; ');
  const last = parts.at(-1) ?? '';
  if (/config|both/.test(last)) parts[parts.length - 1] = ADVICE;
  const keyOf = (word: string): string => {
    const isExperts = word === 'intermediate_size' && !Object.hasOwn(config, 'moe_intermediate_size');
    const names = word === 'intermediate_size' ? (isExperts ? EXPERT_WIDTH : WIDTH) : KEYS.get(word);
    const found = names?.find((name) => keys.has(name)) ?? names?.[0];
    return found === undefined ? word : keys.fullName(found);
  };
  const text = parts.join('; ');
  const named = text.startsWith(folder) && !text.startsWith(label) ? label + text.slice(folder.length) : text;
  const message = named
    .replace(/^config\.json/, label)
    .replace(' config.json', '')
    .replaceAll(/\bthis config\b|\bthe config\b|\bconfig\.json\b/g, 'its metadata')
    .replaceAll(/\b(?:model\.[\w.]+\w|lm_head\.weight)\b/g, (name) => storedName(architecture, name))
    .replaceAll(/(?<![\w.])[a-z]+(?:_[A-Za-z]+)+(?![\w.])/g, keyOf);
  return new AtomoeError(error.code, message, { cause: error });
}
