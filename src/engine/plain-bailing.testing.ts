/** Made-up models of Ling's two versions. Not part of the library. */
import { softmax } from './plain-loops.testing.ts';
import type { Written } from '../containers/gguf.testing.ts';
import {
  GGUF_OUTER,
  ggufMlpNames,
  ggufSizes,
  hubSizes,
  mlpNames,
  named,
  prefixed,
  singleExperts,
  stackedExperts,
  type PlainFamily,
  type Stored,
  type StoredTensor,
} from './plain-files.testing.ts';
import {
  largest,
  PlainModel,
  renormalised,
  sigmoid,
  UNIT_HEAD,
  type PlainShape,
} from './plain-model.testing.ts';

const COMMON = {
  vocab: 80,
  hidden: 32,
  heads: 4,
  kvHeads: 2,
  headDim: 16,
  eps: 1e-6,
  experts: 8,
  width: 16,
  shared: 32, // two of 16
  dense: 48,
  layers: [{ theta: 600_000, isDense: true }, { theta: 600_000 }, { theta: 600_000 }],
} as const;

const TOP_K = 3;

/** Softmax over all, then the largest over their sum. */
const firstShape: PlainShape = {
  ...COMMON,
  route: (logits) => renormalised(largest(logits, TOP_K), softmax(logits)),
};
const first = new PlainModel(firstShape);

const GROUPS = { count: 4, keep: 2 };
const SCALE = 2.5;

/** The experts of the two groups whose two best scores have the largest sum; weights without the bias. */
const second = new PlainModel({
  ...COMMON,
  rotaryDim: 8,
  hasHeadNorms: true,
  route: (logits, bias) => {
    const scores = logits.map(sigmoid);
    const biased = scores.map((score, expert) => score + (bias[expert] ?? 0));
    const size = COMMON.experts / GROUPS.count;
    const groups = Array.from({ length: GROUPS.count }, (_, group) => {
      const own = biased.slice(group * size, (group + 1) * size);
      return largest(own, 2).reduce((sum, at) => sum + (own[at] ?? 0), 0);
    });
    const kept = largest(groups, GROUPS.keep);
    const open = biased.map((score, expert) =>
      kept.includes(Math.floor(expert / size)) ? score : -Infinity,
    );
    return renormalised(largest(open, TOP_K), scores, SCALE);
  },
});

const config = (type: string, shape: PlainShape) => ({
  ...hubSizes(shape),
  model_type: type,
  intermediate_size: shape.dense,
  rope_theta: COMMON.layers[0].theta,
  rope_scaling: null,
  num_experts: shape.experts,
  num_experts_per_tok: TOP_K,
  num_shared_experts: 2,
  moe_intermediate_size: shape.width,
  first_k_dense_replace: 1,
  norm_topk_prob: true,
  norm_head: shape.head?.isUnit === true,
  tie_word_embeddings: shape.head?.isTied === true,
  use_bias: false,
  use_qkv_bias: false,
});

const headNorms = { 'attention.query_layernorm.weight': 'qNorm', 'attention.key_layernorm.weight': 'kNorm' };
const ggufHeadNorms = { 'attn_q_norm.weight': 'qNorm', 'attn_k_norm.weight': 'kNorm' };

const stored = ({ layers, hasHeadNorms, head }: PlainShape): Stored => ({
  outer: named({
    'model.word_embeddings.weight': 'embedding',
    'model.norm.weight': 'norm',
    ...(head?.isTied ? {} : { 'lm_head.weight': 'head' }),
  }),
  layer: (layer) => [
    { name: 'attention.query_key_value.weight', parts: ['q', 'k', 'v'] },
    ...named({
      'input_layernorm.weight': 'norm',
      'attention.dense.weight': 'o',
      'post_attention_layernorm.weight': 'mlpNorm',
      ...(hasHeadNorms ? headNorms : {}),
    }),
    ...(layers[layer]?.isDense
      ? named(mlpNames('mlp.', 'dense'))
      : [
          ...named({
            'mlp.gate.weight': 'router',
            ...mlpNames('mlp.shared_experts.', 'shared'),
            ...(hasHeadNorms ? { 'mlp.gate.expert_bias': 'bias' } : {}),
          }),
          ...singleExperts('mlp.experts.', COMMON.experts),
        ]),
  ],
});

/** @param qkv - the tensors of q, k and v */
const ggufStored = ({ layers, hasHeadNorms, head }: PlainShape, qkv: readonly StoredTensor[]): Stored => ({
  outer: GGUF_OUTER.map((each) =>
    head?.isUnit && each.name === 'output.weight' ? { ...each, parts: [UNIT_HEAD] } : each,
  ),
  layer: (layer) => [
    ...qkv,
    ...named({
      'attn_norm.weight': 'norm',
      'attn_output.weight': 'o',
      'ffn_norm.weight': 'mlpNorm',
      ...(hasHeadNorms ? ggufHeadNorms : {}),
    }),
    ...(layers[layer]?.isDense
      ? named(ggufMlpNames('dense'))
      : [
          ...named({
            'ffn_gate_inp.weight': 'router',
            ...ggufMlpNames('shared', '_shexp'),
            ...(hasHeadNorms ? { 'exp_probs_b.bias': 'bias' } : {}),
          }),
          ...stackedExperts(COMMON.experts),
        ]),
  ],
});

const metadata = (name: string, shape: PlainShape, own: Readonly<Record<string, Written>>) => ({
  ...ggufSizes(name, shape),
  ...prefixed(name, {
    leading_dense_block_count: 1,
    expert_used_count: TOP_K,
    expert_shared_count: 2,
    expert_weights_norm: true,
    ...own,
  }),
});

const familyOfFirst = (model: PlainModel): PlainFamily => ({
  model,
  config: config('bailing_moe', model.shape),
  stored: stored(model.shape),
  gguf: {
    ...ggufStored(model.shape, [
      { name: 'attn_q.weight', parts: ['q'], isPaired: true },
      { name: 'attn_k.weight', parts: ['k'], isPaired: true },
      { name: 'attn_v.weight', parts: ['v'] },
    ]),
    metadata: metadata('bailingmoe', model.shape, { expert_weights_scale: 1 }),
  },
});

export const bailingMoe: PlainFamily = familyOfFirst(first);

/** The first version with `norm_head`, whose columns the converter to GGUF has divided. */
export const unitHead: PlainFamily = familyOfFirst(new PlainModel({ ...firstShape, head: { isUnit: true } }));

/** The same with the embedding as head; no converter writes it. */
export const tiedUnitHead: PlainFamily = familyOfFirst(
  new PlainModel({ ...firstShape, head: { isUnit: true, isTied: true } }),
);

export const bailingMoeV2: PlainFamily = {
  model: second,
  config: {
    ...config('bailing_moe_v2', second.shape),
    partial_rotary_factor: 0.5,
    use_qk_norm: true,
    n_group: GROUPS.count,
    topk_group: GROUPS.keep,
    routed_scaling_factor: SCALE,
    score_function: 'sigmoid',
    moe_router_enable_expert_bias: true,
    moe_shared_expert_intermediate_size: COMMON.width,
  },
  stored: stored(second.shape),
  gguf: {
    ...ggufStored(second.shape, [{ name: 'attn_qkv.weight', parts: ['q', 'k', 'v'] }]),
    metadata: metadata('bailingmoe2', second.shape, {
      expert_weights_scale: SCALE,
      expert_gating_func: 2,
      expert_group_count: GROUPS.count,
      expert_group_used_count: GROUPS.keep,
      expert_shared_feed_forward_length: COMMON.shared,
    }),
  },
};
