/** A made-up Mellum 2. Not part of the library. */
import {
  GGUF_ATTENTION,
  GGUF_OUTER,
  ggufSizes,
  HUB_ATTENTION,
  HUB_OUTER,
  hubSizes,
  named,
  prefixed,
  singleExperts,
  stackedExperts,
  type PlainFamily,
} from './plain-files.testing.ts';
import { softmax } from './plain-loops.testing.ts';
import { largest, PlainModel, renormalised } from './plain-model.testing.ts';

const TOP_K = 2;
const WINDOW = 6;
const FULL = { theta: 500_000 };
const SLIDING = { theta: 10_000, window: WINDOW };

const model = new PlainModel({
  vocab: 80,
  hidden: 32,
  heads: 4,
  kvHeads: 2,
  headDim: 16,
  eps: 1e-6,
  experts: 8,
  width: 16,
  shared: 0,
  dense: 48, // of no layer
  hasHeadNorms: true,
  layers: [FULL, SLIDING, SLIDING],
  route: (logits) => renormalised(largest(logits, TOP_K), softmax(logits)),
});

const { dense, experts, width, layers } = model.shape;

export const mellum: PlainFamily = {
  model,
  config: {
    ...hubSizes(model.shape),
    model_type: 'mellum',
    intermediate_size: dense,
    layer_types: layers.map((layer) => (layer === FULL ? 'full_attention' : 'sliding_attention')),
    sliding_window: WINDOW,
    rope_parameters: {
      full_attention: { rope_type: 'default', rope_theta: FULL.theta },
      sliding_attention: { rope_type: 'default', rope_theta: SLIDING.theta },
    },
    num_experts: experts,
    num_experts_per_tok: TOP_K,
    moe_intermediate_size: width,
  },
  stored: {
    outer: HUB_OUTER,
    layer: () => [
      ...named({
        ...HUB_ATTENTION,
        'self_attn.q_norm.weight': 'qNorm',
        'self_attn.k_norm.weight': 'kNorm',
        'post_attention_layernorm.weight': 'mlpNorm',
        'mlp.gate.weight': 'router',
      }),
      ...singleExperts('mlp.experts.', experts),
    ],
  },
  gguf: {
    outer: GGUF_OUTER,
    layer: () => [
      ...named({
        ...GGUF_ATTENTION,
        'attn_q_norm.weight': 'qNorm',
        'attn_k_norm.weight': 'kNorm',
        'ffn_norm.weight': 'mlpNorm',
        'ffn_gate_inp.weight': 'router',
      }),
      ...stackedExperts(experts),
    ],
    metadata: {
      ...ggufSizes('mellum', model.shape),
      ...prefixed('mellum', {
        expert_used_count: TOP_K,
        'attention.sliding_window': WINDOW,
        'attention.sliding_window_pattern': layers.map((layer) => layer !== FULL),
        'rope.freq_base_swa': SLIDING.theta,
      }),
    },
  },
};
