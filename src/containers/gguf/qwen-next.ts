/** Qwen3-Next and Qwen3.5: gated delta nets, gated attention, and experts beside a shared one. */
import type { JsonObject } from '../../io/json-file.ts';
import type { Architecture, Architectures } from './architecture.ts';
import type { GgufKeys } from './keys.ts';
import { logarithms, taps } from './recurrent.ts';

function sizes(keys: GgufKeys): JsonObject {
  const heads = keys.count('ssm.time_step_rank');
  keys.optionalCount('full_attention_interval'); // the tensors say the same, layer by layer
  const isRecurrent = (layer: number) => keys.hasTensor(`blk.${layer}.ssm_a`);
  return {
    num_experts: keys.count('expert_count'),
    num_experts_per_tok: keys.count('expert_used_count'),
    moe_intermediate_size: keys.count('expert_feed_forward_length'),
    shared_expert_intermediate_size: keys.count('expert_shared_feed_forward_length'),
    norm_topk_prob: true,
    partial_rotary_factor: keys.count('rope.dimension_count') / keys.count('attention.key_length'),
    layer_types: Array.from({ length: keys.layers }, (_, layer) =>
      isRecurrent(layer) ? 'linear_attention' : 'full_attention',
    ),
    linear_num_key_heads: keys.count('ssm.group_count'),
    linear_key_head_dim: keys.count('ssm.state_size'),
    linear_num_value_heads: heads,
    linear_value_head_dim: keys.count('ssm.inner_size') / heads,
    linear_conv_kernel_dim: keys.count('ssm.conv_kernel'),
    gain_offset: 0, // the file has 1 added to the gains of Hugging Face's
  };
}

/** The projection to q, k, v and z is in two matrices, not grouped by key heads; that to b and a is. */
const qwen3Next: Architecture = {
  modelType: 'qwen3_next',
  config: sizes,
  modules: {
    post_attention_norm: 'post_attention_layernorm',
    attn_qkv: 'linear_attn.in_proj_qkv',
    attn_gate: 'linear_attn.in_proj_z',
    ssm_ba: 'linear_attn.in_proj_ba',
    ssm_conv1d: 'linear_attn.conv1d',
    'ssm_dt.bias': 'linear_attn.dt_bias',
    ssm_norm: 'linear_attn.norm',
    ssm_out: 'linear_attn.out_proj',
  },
  shapes: { 'ssm_conv1d.weight': taps },
  derived: logarithms('linear_attn.A_log'),
};

/** Everywhere the heads of values are in another order: the first ones of all key heads, then the second ones, and so on. */
const qwen35Moe: Architecture = {
  ...qwen3Next,
  modelType: 'qwen3_5_moe_text',
  config: (keys) => ({ ...sizes(keys), linear_value_head_order: 'tiled' }),
  modules: {
    ...qwen3Next.modules,
    ssm_alpha: 'linear_attn.in_proj_a',
    ssm_beta: 'linear_attn.in_proj_b',
  },
};

export const ARCHITECTURES: Architectures = { qwen3next: qwen3Next, qwen35moe: qwen35Moe };
