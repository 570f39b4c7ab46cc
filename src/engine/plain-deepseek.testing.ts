/** A made-up DeepSeekMoE. Not part of the library. */
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
import { softmax } from './plain-loops.testing.ts';
import { largest, PlainModel } from './plain-model.testing.ts';

const TOP_K = 3;

const model = new PlainModel({
  vocab: 80,
  hidden: 32,
  heads: 4,
  kvHeads: 4,
  headDim: 8,
  eps: 1e-6,
  experts: 8,
  width: 16,
  shared: 32, // two of 16
  dense: 48,
  layers: [{ theta: 10_000, isDense: true }, { theta: 10_000 }, { theta: 10_000 }],
  route: (logits) => {
    const weights = softmax(logits);
    return largest(logits, TOP_K).map((expert) => ({ expert, weight: weights[expert] ?? 0 }));
  },
});

const { dense, experts, width, layers } = model.shape;

export const deepseekMoe: PlainFamily = {
  model,
  config: {
    ...hubSizes(model.shape),
    model_type: 'deepseek',
    intermediate_size: dense,
    rope_theta: 10_000,
    n_routed_experts: experts,
    n_shared_experts: 2,
    num_experts_per_tok: TOP_K,
    moe_intermediate_size: width,
    first_k_dense_replace: 1,
    moe_layer_freq: 1,
    norm_topk_prob: false,
    scoring_func: 'softmax',
  },
  stored: {
    outer: HUB_OUTER,
    layer: (layer) => [
      ...named({ ...HUB_ATTENTION, 'post_attention_layernorm.weight': 'mlpNorm' }),
      ...(layers[layer]?.isDense
        ? named(mlpNames('mlp.', 'dense'))
        : [
            ...named({ 'mlp.gate.weight': 'router', ...mlpNames('mlp.shared_experts.', 'shared') }),
            ...singleExperts('mlp.experts.', experts),
          ]),
    ],
  },
  gguf: {
    outer: GGUF_OUTER,
    layer: (layer) => [
      ...named({ ...GGUF_ATTENTION, 'ffn_norm.weight': 'mlpNorm' }).map((tensor) => ({
        ...tensor,
        isPaired: /^attn_[qk]\./.test(tensor.name),
      })),
      ...(layers[layer]?.isDense
        ? named(ggufMlpNames('dense'))
        : [
            ...named({ 'ffn_gate_inp.weight': 'router', ...ggufMlpNames('shared', '_shexp') }),
            ...stackedExperts(experts),
          ]),
    ],
    metadata: {
      ...ggufSizes('deepseek', model.shape),
      ...prefixed('deepseek', {
        leading_dense_block_count: 1,
        expert_used_count: TOP_K,
        expert_shared_count: 2,
        expert_weights_scale: 1,
        'rope.scaling.type': 'none',
      }),
    },
  },
};
