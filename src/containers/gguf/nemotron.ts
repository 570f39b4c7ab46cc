/** Nemotron-H and Nemotron 3: one block a layer. */
import type { JsonObject } from '../../io/json-file.ts';
import type { Architecture, Architectures } from './architecture.ts';
import type { GgufKeys } from './keys.ts';
import { flat, logarithms, taps } from './recurrent.ts';

/** The file tells blocks by what they have: heads of keys, a width, a router, or none of these. */
function layerTypes(keys: GgufKeys, widths: readonly number[]): string[] {
  return keys.countsOfLayers('attention.head_count_kv').map((kvHeads, layer) => {
    if (kvHeads > 0) return 'full_attention';
    if (widths[layer] === 0) return 'linear_attention';
    return keys.hasTensor(`blk.${layer}.ffn_gate_inp.weight`) ? 'moe' : 'mlp';
  });
}

function sizes(keys: GgufKeys): JsonObject {
  const widths = keys.countsOfLayers('feed_forward_length');
  const types = layerTypes(keys, widths);
  const heads = keys.count('ssm.time_step_rank');
  const mamba = types.indexOf('linear_attention');
  return {
    layers_block_type: types,
    mamba_num_heads: heads,
    mamba_head_dim: keys.count('ssm.inner_size') / heads,
    n_groups: keys.count('ssm.group_count'),
    ssm_state_size: keys.count('ssm.state_size'),
    conv_kernel: keys.count('ssm.conv_kernel'),
    use_conv_bias: keys.hasTensor(`blk.${mamba}.ssm_conv1d.bias`),
    mamba_proj_bias: keys.hasTensor(`blk.${mamba}.ssm_in.bias`),
    mlp_hidden_act: 'relu2',
    ...(types.includes('mlp') ? { intermediate_size: widths[types.indexOf('mlp')] ?? 0 } : {}),
    n_routed_experts: keys.count('expert_count'),
    num_experts_per_tok: keys.count('expert_used_count'),
    n_shared_experts: keys.optionalCount('expert_shared_count') ?? 1,
    moe_intermediate_size: keys.count('expert_feed_forward_length'),
    moe_shared_expert_intermediate_size: keys.count('expert_shared_feed_forward_length'),
    moe_latent_size: keys.optionalCount('moe_latent_size') ?? null,
    routed_scaling_factor: keys.optionalNumber('expert_weights_scale') ?? 1,
    norm_topk_prob: keys.flag('expert_weights_norm') ?? false,
    n_group: keys.optionalCount('expert_group_count') ?? 1,
    topk_group: keys.optionalCount('expert_group_used_count') ?? 1,
  };
}

/** The rows of q and k are in pairs as if they were rotated. */
const nemotronHMoe: Architecture = {
  modelType: 'nemotron_h',
  base: 'backbone.',
  config: sizes,
  hasPairedRows: true,
  outer: {
    'token_embd.weight': 'backbone.embeddings.weight',
    'output_norm.weight': 'backbone.norm_f.weight',
  },
  modules: {
    attn_norm: 'norm',
    attn_q: 'mixer.q_proj',
    attn_k: 'mixer.k_proj',
    attn_v: 'mixer.v_proj',
    attn_output: 'mixer.o_proj',
    ssm_in: 'mixer.in_proj',
    ssm_conv1d: 'mixer.conv1d',
    'ssm_dt.bias': 'mixer.dt_bias',
    ssm_d: 'mixer.D',
    ssm_norm: 'mixer.norm',
    ssm_out: 'mixer.out_proj',
    ffn_up: 'mixer.up_proj',
    ffn_down: 'mixer.down_proj',
    ffn_gate_inp: 'mixer.gate',
    'exp_probs_b.bias': 'mixer.gate.e_score_correction_bias',
    ffn_up_exps: 'mixer.experts.{expert}.up_proj',
    ffn_down_exps: 'mixer.experts.{expert}.down_proj',
    ffn_up_shexp: 'mixer.shared_experts.up_proj',
    ffn_down_shexp: 'mixer.shared_experts.down_proj',
  },
  shapes: { 'ssm_conv1d.weight': taps, ssm_d: flat, 'ssm_norm.weight': flat },
  derived: logarithms('mixer.A_log'),
};

export const ARCHITECTURES: Architectures = { nemotron_h_moe: nemotronHMoe };
