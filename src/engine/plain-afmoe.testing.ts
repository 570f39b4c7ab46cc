/** A made-up Trinity. Not part of the library. */
import {
  GGUF_ATTENTION,
  GGUF_OUTER,
  ggufMlpNames,
  ggufSizes,
  HUB_ATTENTION,
  HUB_OUTER,
  hubSizes,
  mlpNames,
  named,
  prefixed,
  singleExperts,
  stackedExperts,
  type PlainFamily,
} from './plain-files.testing.ts';
import { largest, PlainModel, renormalised, sigmoid } from './plain-model.testing.ts';

const TOP_K = 3;
const WINDOW = 5;
const SCALE = 2.826;
const SLIDING = { theta: 10_000, window: WINDOW };
const HIDDEN = 32;

const model = new PlainModel({
  vocab: 80,
  hidden: HIDDEN,
  heads: 4,
  kvHeads: 2,
  headDim: 16,
  eps: 1e-5,
  experts: 8,
  width: 16,
  shared: 16,
  dense: 48,
  hasHeadNorms: true,
  hasGate: true,
  hasPostNorms: true,
  multipliers: { embedding: Math.sqrt(HIDDEN), residual: 1, logits: 1 },
  layers: [{ ...SLIDING, isDense: true }, SLIDING, SLIDING, { theta: 0 }],
  route: (logits, bias) => {
    const scores = logits.map(sigmoid);
    const biased = scores.map((score, expert) => score + (bias[expert] ?? 0));
    return renormalised(largest(biased, TOP_K), scores, SCALE);
  },
});

const { dense, experts, width, layers } = model.shape;

export const afmoe: PlainFamily = {
  model,
  config: {
    ...hubSizes(model.shape),
    model_type: 'afmoe',
    intermediate_size: dense,
    moe_intermediate_size: width,
    num_dense_layers: 1,
    num_experts: experts,
    num_experts_per_tok: TOP_K,
    num_shared_experts: 1,
    route_norm: true,
    route_scale: SCALE,
    score_func: 'sigmoid',
    n_group: 1,
    topk_group: 1,
    global_attn_every_n_layers: 4,
    sliding_window: WINDOW,
    mup_enabled: true,
    rope_theta: SLIDING.theta,
  },
  stored: {
    outer: HUB_OUTER,
    layer: (layer) => [
      ...named({
        ...HUB_ATTENTION,
        'self_attn.q_norm.weight': 'qNorm',
        'self_attn.k_norm.weight': 'kNorm',
        'self_attn.gate_proj.weight': 'attentionGate',
        'post_attention_layernorm.weight': 'postNorm',
        'pre_mlp_layernorm.weight': 'mlpNorm',
        'post_mlp_layernorm.weight': 'mlpPostNorm',
      }),
      ...(layers[layer]?.isDense
        ? named(mlpNames('mlp.', 'dense'))
        : [
            ...named({
              'mlp.router.gate.weight': 'router',
              'mlp.expert_bias': 'bias',
              ...mlpNames('mlp.shared_experts.', 'shared'),
            }),
            ...singleExperts('mlp.experts.', experts),
          ]),
    ],
  },
  gguf: {
    outer: GGUF_OUTER,
    layer: (layer) => [
      ...named({
        ...GGUF_ATTENTION,
        'attn_q_norm.weight': 'qNorm',
        'attn_k_norm.weight': 'kNorm',
        'attn_gate.weight': 'attentionGate',
        'post_attention_norm.weight': 'postNorm',
        'ffn_norm.weight': 'mlpNorm',
        'post_ffw_norm.weight': 'mlpPostNorm',
      }),
      ...(layers[layer]?.isDense
        ? named(ggufMlpNames('dense'))
        : [
            ...named({
              'ffn_gate_inp.weight': 'router',
              'exp_probs_b.bias': 'bias',
              ...ggufMlpNames('shared', '_shexp'),
            }),
            ...stackedExperts(experts),
          ]),
    ],
    metadata: {
      ...ggufSizes('afmoe', model.shape),
      ...prefixed('afmoe', {
        leading_dense_block_count: 1,
        expert_used_count: TOP_K,
        expert_shared_count: 1,
        expert_weights_norm: true,
        expert_weights_scale: SCALE,
        expert_gating_func: 2,
        'attention.sliding_window': WINDOW,
      }),
    },
  },
};
