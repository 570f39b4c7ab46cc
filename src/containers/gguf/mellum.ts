/** The architecture of Mellum 2: Qwen3-MoE's, with a window and positions of their own in most layers. */
import type { Architecture, Architectures } from './architecture.ts';
import { SOFTMAX } from './gating.ts';

const mellum: Architecture = {
  modelType: 'mellum',
  gating: SOFTMAX,
  config: (keys) => {
    const theta = keys.optionalNumber('rope.freq_base') ?? 10_000;
    const slides = keys.window === null ? [] : keys.flags('attention.sliding_window_pattern');
    const types = Array.from({ length: keys.layers }, (_, layer) =>
      slides[layer] === true ? 'sliding_attention' : 'full_attention',
    );
    return {
      num_experts: keys.count('expert_count'),
      num_experts_per_tok: keys.count('expert_used_count'),
      moe_intermediate_size: keys.count('expert_feed_forward_length'),
      norm_topk_prob: keys.flag('expert_weights_norm') ?? true,
      sliding_window: keys.window,
      layer_types: types,
      rope_theta: null,
      rope_scaling: null,
      // A scaling is of the layers without a window only.
      rope_parameters: {
        full_attention: { rope_type: 'default', ...keys.ropeScaling(), rope_theta: theta },
        sliding_attention: {
          rope_type: 'default',
          rope_theta: keys.optionalNumber('rope.freq_base_swa') ?? theta,
        },
      },
    };
  },
};

export const ARCHITECTURES: Architectures = { mellum };
