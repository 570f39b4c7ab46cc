/** DeepSeek's architectures: experts behind a router by sigmoid or softmax, and latent attention. */
import type { JsonObject } from '../../io/json-file.ts';
import type { Architecture, Architectures, DerivedTensor } from './architecture.ts';
import { SIGMOID, SOFTMAX } from './gating.ts';
import type { GgufKeys } from './keys.ts';

/** Models of the DeepSeek-V3 kind: dense layers first, then routed experts beside shared ones. */
export function deepseekExperts(keys: GgufKeys): JsonObject {
  return {
    n_routed_experts: keys.count('expert_count'),
    num_experts_per_tok: keys.count('expert_used_count'),
    n_shared_experts: keys.optionalCount('expert_shared_count') ?? 0,
    moe_intermediate_size: keys.count('expert_feed_forward_length'),
    intermediate_size: keys.count('feed_forward_length'),
    first_k_dense_replace: keys.optionalCount('leading_dense_block_count') ?? denseLayers(keys),
    routed_scaling_factor: keys.optionalNumber('expert_weights_scale') || 1, // 0: none
    norm_topk_prob: keys.flag('expert_weights_norm') ?? false,
    n_group: keys.optionalCount('expert_group_count') ?? 1,
    topk_group: keys.optionalCount('expert_group_used_count') ?? 1,
  };
}

/** Layers without a router: some writers leave `leading_dense_block_count` at 0. */
function denseLayers(keys: GgufKeys): number {
  let count = 0;
  while (count < keys.layers && !keys.hasTensor(`blk.${count}.ffn_gate_inp.weight`)) count += 1;
  return count;
}

/** Names of these experts. */
export const deepseekModules = {
  'exp_probs_b.bias': 'mlp.gate.e_score_correction_bias',
  ffn_gate_shexp: 'mlp.shared_experts.gate_proj',
  ffn_up_shexp: 'mlp.shared_experts.up_proj',
  ffn_down_shexp: 'mlp.shared_experts.down_proj',
};

/** Keys [heads, rank, nope], transposed for absorbed decoding, and values [heads, valueDim, rank] become one matrix. */
const keysAndValues: DerivedTensor = {
  name: 'self_attn.kv_b_proj.weight',
  from: ['attn_k_b.weight', 'attn_v_b.weight'],
  shape: ([keys, values]) => {
    const [heads = 0, rank = 0, nope = 0] = keys ?? [];
    const [valueHeads, valueDim = 0, valueRank] = values ?? [];
    const fits = keys?.length === 3 && values?.length === 3 && valueHeads === heads && valueRank === rank;
    return fits ? [heads * (nope + valueDim), rank] : undefined;
  },
  values: ([keys, values], [keysShape, valuesShape]) => {
    const [heads = 0, rank = 0, nope = 0] = keysShape ?? [];
    const valueDim = valuesShape?.[1] ?? 0;
    const out = new Float32Array(heads * (nope + valueDim) * rank);
    for (let head = 0; head < heads; head += 1) {
      const at = head * (nope + valueDim) * rank;
      for (let row = 0; row < nope; row += 1)
        for (let col = 0; col < rank; col += 1)
          out[at + row * rank + col] = keys?.[(head * rank + col) * nope + row] ?? 0;
      const from = head * valueDim * rank;
      out.set(values?.subarray(from, from + valueDim * rank) ?? [], at + nope * rank);
    }
    return out;
  },
};

/** DeepSeekMoE: weights are never renormalised. */
const deepseek: Architecture = {
  modelType: 'deepseek',
  gating: SOFTMAX,
  hasPairedRows: true,
  config: deepseekExperts,
  modules: deepseekModules,
};

/** DeepSeek-V2 and V3, Moonlight, GLM-4.7-Flash: older files do not say that they score by sigmoid, but then have a selection bias. */
function deepseek2(keys: GgufKeys): Architecture {
  const guess = keys.hasTensor(`blk.${keys.layers - 1}.exp_probs_b.bias`) ? SIGMOID : SOFTMAX;
  const gating = keys.optionalCount('expert_gating_func') ?? guess;
  const isSigmoid = gating === SIGMOID;
  return {
    gating: isSigmoid ? SIGMOID : SOFTMAX,
    modelType: isSigmoid ? 'deepseek_v3' : 'deepseek_v2',
    config: (own) => ({
      ...deepseekExperts(own),
      ...latentSizes(own),
      ...latentScaling(own),
      ...(isSigmoid
        ? { rope_interleave: true }
        : {
            topk_method:
              (own.optionalCount('expert_group_count') ?? 1) > 1 ? 'group_limited_greedy' : 'greedy',
          }),
    }),
    modules: {
      ...deepseekModules,
      attn_kv_a_mqa: 'self_attn.kv_a_proj_with_mqa',
      attn_kv_a_norm: 'self_attn.kv_a_layernorm',
      attn_kv_b: 'self_attn.kv_b_proj', // files of 2024
      attn_q_a: 'self_attn.q_a_proj',
      attn_q_a_norm: 'self_attn.q_a_layernorm',
      attn_q_b: 'self_attn.q_b_proj',
    },
    derived: keysAndValues,
  };
}

function latentSizes(keys: GgufKeys): JsonObject {
  const rotary = keys.count('rope.dimension_count');
  const rank = keys.count('attention.kv_lora_rank');
  const own = keys.optionalCount('attention.key_length_mla');
  const keyDim = own ?? keys.count('attention.key_length');
  if (own !== undefined) {
    // With these keys the others are those of the latents, which all heads share.
    keys.expect('attention.key_length', rank + rotary, 'kv_lora_rank + rope.dimension_count');
    keys.expect('attention.value_length', rank, 'kv_lora_rank');
  }
  return {
    num_key_value_heads: keys.count('attention.head_count'),
    head_dim: rotary,
    qk_rope_head_dim: rotary,
    qk_nope_head_dim: keyDim - rotary,
    v_head_dim: keys.optionalCount('attention.value_length_mla') ?? keys.count('attention.value_length'),
    kv_lora_rank: rank,
    q_lora_rank: keys.optionalCount('attention.q_lora_rank') ?? null,
  };
}

/** The file has a tenth of `mscale_all_dim`, and means the same for `mscale`: angles keep their amplitude. */
function latentScaling(keys: GgufKeys): JsonObject {
  const scaling = keys.ropeScaling();
  const multiplier = keys.optionalNumber('rope.scaling.yarn_log_multiplier');
  if (!scaling || multiplier === undefined || multiplier === 0) return {};
  const mscale = 10 * multiplier;
  return { rope_scaling: { ...scaling, mscale, mscale_all_dim: mscale } };
}

export const ARCHITECTURES: Architectures = { deepseek, deepseek2 };
