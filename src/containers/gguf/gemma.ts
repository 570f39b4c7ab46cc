/** The architecture of Gemma 4: layers with a window and others, which have heads of another size. */
import type { JsonObject } from '../../io/json-file.ts';
import type { Architecture, Architectures } from './architecture.ts';
import type { GgufKeys } from './keys.ts';

const gemma4: Architecture = {
  modelType: 'gemma4_text',
  config: (keys) => {
    const slides = keys.flags('attention.sliding_window_pattern');
    const kvHeads = keys.counts('attention.head_count_kv');
    const headDim = keys.count('attention.key_length_swa');
    const wide = keys.count('attention.key_length');
    const own = slides.map((isOn, layer): [string, JsonObject] => [
      String(layer),
      { head_dim: isOn ? headDim : wide, num_key_value_heads: kvHeads[layer] ?? kvHeads[0] ?? 1 },
    ]);
    const experts = keys.optionalCount('expert_count');
    const isFullWithValues = slides.some(
      (isOn, layer) => !isOn && keys.hasTensor(`blk.${layer}.attn_v.weight`),
    );
    return {
      head_dim: headDim,
      per_layer_config: Object.fromEntries(own),
      attention_k_eq_v: !isFullWithValues,
      sliding_window: keys.window,
      layer_types: slides.map((isOn) => (isOn ? 'sliding_attention' : 'full_attention')),
      rope_theta: null,
      rope_parameters: ropeOf(keys),
      hidden_act: null,
      hidden_activation: 'gelu_pytorch_tanh',
      final_logit_softcapping: keys.optionalNumber('final_logit_softcapping') ?? null,
      num_kv_shared_layers: keys.optionalCount('attention.shared_kv_layers') ?? 0,
      hidden_size_per_layer_input: keys.optionalCount('embedding_length_per_layer_input') ?? 0,
      intermediate_size: keys.count('feed_forward_length'),
      enable_moe_block: experts !== undefined,
      ...(experts === undefined
        ? {}
        : {
            num_experts: experts,
            top_k_experts: keys.count('expert_used_count'),
            moe_intermediate_size: keys.count('expert_feed_forward_length'),
          }),
    };
  },
  readsRopeTensors: true,
  modules: {
    post_attention_norm: 'post_attention_layernorm',
    ffn_norm: 'pre_feedforward_layernorm',
    post_ffw_norm: 'post_feedforward_layernorm',
    post_ffw_norm_1: 'post_feedforward_layernorm_1',
    pre_ffw_norm_2: 'pre_feedforward_layernorm_2',
    post_ffw_norm_2: 'post_feedforward_layernorm_2',
    'layer_output_scale.weight': 'layer_scalar',
    ffn_gate_inp: 'router.proj',
    'ffn_gate_inp.scale': 'router.scale',
    'ffn_down_exps.scale': 'router.per_expert_scale',
    ffn_gate_up_exps: 'experts.{expert}.gate_up_proj',
    ffn_down_exps: 'experts.{expert}.down_proj',
  },
};

/** Divisors of the frequencies of layers without a window: 1 for the pairs that turn, a huge number for those that do not. */
function ropeOf(keys: GgufKeys): JsonObject {
  const divisors = keys.vector('rope_freqs.weight') ?? [];
  const turning = divisors.filter((divisor) => divisor === 1).length;
  const isShare = divisors.every((divisor, pair) => (pair < turning ? divisor === 1 : divisor >= 1e20));
  if (!isShare)
    throw keys.contradiction('rope_freqs.weight', [divisors.length], 'divisors of 1, then of 1e30,');
  const theta = keys.number('rope.freq_base');
  return {
    full_attention: {
      rope_type: 'proportional',
      rope_theta: theta,
      partial_rotary_factor: divisors.length === 0 ? 1 : turning / divisors.length,
    },
    sliding_attention: {
      rope_type: 'default',
      rope_theta: keys.optionalNumber('rope.freq_base_swa') ?? theta,
    },
  };
}

export const ARCHITECTURES: Architectures = { gemma4 };
