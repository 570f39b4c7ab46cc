/** A made-up Granite MoE with sinks, windows and a base of positions for each layer. Not part of the library. */
import { HUB_ATTENTION, HUB_OUTER, hubSizes, named, type PlainFamily } from './plain-files.testing.ts';
import { softmax } from './plain-loops.testing.ts';
import { largest, PlainModel } from './plain-model.testing.ts';

const TOP_K = 3;
const WINDOW = 5;
const SCALING = 4; // of logits

const model = new PlainModel({
  vocab: 80,
  hidden: 32,
  heads: 4,
  kvHeads: 2,
  headDim: 8,
  eps: 1e-6,
  experts: 8,
  width: 16,
  shared: 24,
  dense: 0,
  hasSinks: true,
  scale: 0.25,
  multipliers: { embedding: 3, residual: 0.4, logits: 1 / SCALING },
  layers: [
    { theta: 0 },
    { theta: 10_000, window: WINDOW },
    { theta: 500, window: WINDOW },
    { theta: 10_000, window: WINDOW },
    { theta: 0 },
  ],
  /** The softmax over the largest. */
  route: (logits) => {
    const experts = largest(logits, TOP_K);
    const weights = softmax(experts.map((expert) => logits[expert] ?? 0));
    return experts.map((expert, rank) => ({ expert, weight: weights[rank] ?? 0 }));
  },
});

const { experts, width, shared, scale, multipliers, layers } = model.shape;
const each = Array.from({ length: experts }, (_, expert) => expert);

export const graniteMoeSwa: PlainFamily = {
  model,
  config: {
    ...hubSizes(model.shape),
    model_type: 'granitemoe_swa',
    intermediate_size: width,
    shared_intermediate_size: shared,
    num_local_experts: experts,
    num_experts_per_tok: TOP_K,
    attention_multiplier: scale,
    embedding_multiplier: multipliers?.embedding,
    residual_multiplier: multipliers?.residual,
    logits_scaling: SCALING,
    sliding_window: WINDOW,
    layer_rope_theta: layers.map(({ theta }) => theta),
  },
  stored: {
    outer: HUB_OUTER,
    layer: () => [
      ...named({
        ...HUB_ATTENTION,
        'self_attn.sinks': 'sinks',
        'post_attention_layernorm.weight': 'mlpNorm',
        'block_sparse_moe.router.weight': 'router',
        'shared_mlp.output_linear.weight': 'down.shared',
      }),
      { name: 'shared_mlp.input_linear.weight', parts: ['gate.shared', 'up.shared'] },
      {
        name: 'block_sparse_moe.experts.gate_up_proj',
        parts: each.flatMap((expert) => [`gate.${expert}`, `up.${expert}`]),
        experts,
      },
      {
        name: 'block_sparse_moe.experts.down_proj',
        parts: each.map((expert) => `down.${expert}`),
        experts,
      },
    ],
  },
};
