/** The architectures that have little of their own. */
import type { JsonObject } from '../../io/json-file.ts';
import type { Architecture, Architectures } from './architecture.ts';
import { deepseekExperts, deepseekModules } from './deepseek.ts';
import { SIGMOID, SOFTMAX, SOFTMAX_OF_CHOSEN } from './gating.ts';
import { scalingOf, type GgufKeys } from './keys.ts';

const experts = (keys: GgufKeys): JsonObject => ({
  num_experts: keys.count('expert_count'),
  num_experts_per_tok: keys.count('expert_used_count'),
});

const localExperts = (keys: GgufKeys): JsonObject => ({
  num_local_experts: keys.count('expert_count'),
  num_experts_per_tok: keys.count('expert_used_count'),
});

/** Older files have the width of experts under the name of the dense MLP's. */
const expertWidth = (keys: GgufKeys): number =>
  keys.optionalCount('expert_feed_forward_length') ?? keys.count('feed_forward_length');

const mixtralExperts = {
  ffn_gate_inp: 'block_sparse_moe.gate',
  ffn_gate_exps: 'block_sparse_moe.experts.{expert}.w1',
  ffn_up_exps: 'block_sparse_moe.experts.{expert}.w3',
  ffn_down_exps: 'block_sparse_moe.experts.{expert}.w2',
};

const mixtral: Architecture = {
  modelType: 'mixtral',
  config: (keys) => ({
    ...localExperts(keys),
    intermediate_size: expertWidth(keys),
    sliding_window: keys.window,
  }),
  hasPairedRows: true,
  gating: SOFTMAX,
  modules: mixtralExperts,
};

const llama: Architecture = {
  modelType: 'llama',
  config: (keys) => ({
    intermediate_size: keys.count('feed_forward_length'),
    attention_bias: keys.hasTensor('blk.0.attn_q.bias'),
    mlp_bias: keys.hasTensor('blk.0.ffn_up.bias'),
  }),
  hasPairedRows: true,
};

/** The file says it where it is not what the publisher's models have. */
const isRenormalised = (keys: GgufKeys, usual: boolean): JsonObject => ({
  norm_topk_prob: keys.flag('expert_weights_norm') ?? usual,
});

const qwen: JsonObject = { use_sliding_window: false };

const smallThinkerGating = (keys: GgufKeys) =>
  keys.optionalCount('expert_gating_func') === SOFTMAX ? SOFTMAX : SIGMOID;

/** With a window, every fourth layer has neither window nor positions. */
const smallThinker: Architecture = {
  modelType: 'smallthinker',
  config: (keys) => {
    const { window, layers } = keys;
    const inFours = Array.from({ length: layers }, (_, layer) => Number(layer % 4 !== 0));
    return {
      moe_num_primary_experts: keys.count('expert_count'),
      moe_num_active_primary_experts: keys.count('expert_used_count'),
      moe_ffn_hidden_size: expertWidth(keys),
      moe_primary_router_apply_softmax: smallThinkerGating(keys) === SOFTMAX,
      ...(window === null
        ? {}
        : { rope_layout: inFours, sliding_window_layout: inFours, sliding_window_size: window }),
    };
  },
  modules: {
    ffn_gate_inp: 'block_sparse_moe.primary_router',
    ffn_gate_exps: 'block_sparse_moe.experts.{expert}.gate',
    ffn_up_exps: 'block_sparse_moe.experts.{expert}.up',
    ffn_down_exps: 'block_sparse_moe.experts.{expert}.down',
  },
};

/**
 * The file does not have the checkpoint's amplitude but one by llama.cpp's rule, from the lengths of the contexts; all published
 * models, of 4096 original positions, have sqrt(17 / 11).
 */
function phimoeRope(keys: GgufKeys): JsonObject {
  const [long, short] = ['long', 'short'].map((which) => keys.vector(`rope_factors_${which}.weight`));
  if (!long || !short) return scalingOf(keys);
  const original = keys.count('rope.scaling.original_context_length');
  const given = keys.optionalNumber('rope.scaling.attn_factor') ?? 1;
  const amplitude = original === 4096 ? Math.sqrt(17 / 11) : given;
  const both = { long_factor: long, short_factor: short, long_mscale: amplitude, short_mscale: amplitude };
  return { rope_scaling: { rope_type: 'longrope', original_max_position_embeddings: original, ...both } };
}

export const ARCHITECTURES: Architectures = {
  llama: (keys) => (keys.optionalCount('expert_count') === undefined ? llama : mixtral),
  qwen2: {
    modelType: 'qwen2',
    config: (keys) => ({ ...qwen, intermediate_size: keys.count('feed_forward_length') }),
  },
  qwen3: {
    modelType: 'qwen3',
    config: (keys) => ({ ...qwen, intermediate_size: keys.count('feed_forward_length') }),
  },
  olmoe: {
    modelType: 'olmoe',
    gating: SOFTMAX,
    config: (keys) => ({
      ...experts(keys),
      ...isRenormalised(keys, false),
      intermediate_size: expertWidth(keys),
      clip_qkv: keys.optionalNumber('attention.clamp_kqv') || null,
    }),
  },
  qwen2moe: {
    modelType: 'qwen2_moe',
    gating: SOFTMAX,
    config: (keys) => ({
      ...experts(keys),
      ...qwen,
      moe_intermediate_size: expertWidth(keys),
      shared_expert_intermediate_size: keys.count('expert_shared_feed_forward_length'),
      ...isRenormalised(keys, false),
    }),
  },
  qwen3moe: {
    modelType: 'qwen3_moe',
    gating: SOFTMAX,
    config: (keys) => ({
      ...experts(keys),
      ...qwen,
      moe_intermediate_size: expertWidth(keys),
      ...isRenormalised(keys, true),
    }),
  },
  dots1: { modelType: 'dots1', gating: SIGMOID, config: deepseekExperts, modules: deepseekModules },
  glm4moe: {
    modelType: 'glm4_moe',
    gating: SIGMOID,
    config: (keys) => ({
      ...deepseekExperts(keys),
      attention_bias: keys.hasTensor('blk.0.attn_q.bias'),
      use_qk_norm: keys.hasTensor('blk.0.attn_q_norm.weight'),
      partial_rotary_factor: keys.count('rope.dimension_count') / keys.count('attention.key_length'),
    }),
    modules: { ...deepseekModules, post_attention_norm: 'post_attention_layernorm' },
  },
  'exaone-moe': {
    modelType: 'exaone_moe',
    gating: SIGMOID,
    config: (keys) => {
      const { n_routed_experts: routed, n_shared_experts: shared, ...rest } = deepseekExperts(keys);
      const slides = keys.flags('attention.sliding_window_pattern');
      return {
        ...rest,
        num_experts: routed,
        num_shared_experts: shared,
        sliding_window: keys.window,
        layer_types: slides.map((isOn) => (isOn ? 'sliding_attention' : 'full_attention')),
      };
    },
    modules: { ...deepseekModules, 'exp_probs_b.bias': 'mlp.e_score_correction_bias' },
  },
  'ernie4_5-moe': {
    modelType: 'ernie4_5_moe',
    gating: SOFTMAX,
    config: (keys) => ({
      moe_num_experts: keys.count('expert_count'),
      moe_k: keys.count('expert_used_count'),
      moe_num_shared_experts: keys.optionalCount('expert_shared_count') ?? 0,
      moe_intermediate_size: keys.count('expert_feed_forward_length'),
      intermediate_size: keys.count('feed_forward_length'),
      moe_layer_start_index: keys.optionalCount('leading_dense_block_count') ?? 0,
      moe_layer_end_index: keys.count('block_count') - 1,
      moe_layer_interval: keys.optionalCount('interleave_moe_layer_step') ?? 1,
      moe_norm_min: 1e-12,
    }),
    modules: { ...deepseekModules, 'exp_probs_b.bias': 'mlp.moe_statics.e_score_correction_bias' },
    shapes: { 'exp_probs_b.bias': (shape) => [1, shape.reduce((product, size) => product * size, 1)] },
  },
  'hunyuan-moe': {
    modelType: 'hunyuan_v1_moe',
    gating: SOFTMAX,
    config: (keys) => ({
      num_experts: keys.count('expert_count'),
      moe_topk: keys.count('expert_used_count'),
      moe_intermediate_size: expertWidth(keys),
      intermediate_size: keys.count('feed_forward_length'),
      num_shared_expert: keys.optionalCount('expert_shared_count') ?? 0,
    }),
    modules: {
      attn_q_norm: 'self_attn.query_layernorm',
      attn_k_norm: 'self_attn.key_layernorm',
      ffn_gate_inp: 'mlp.gate.wg',
      ffn_gate_shexp: 'mlp.shared_mlp.gate_proj',
      ffn_up_shexp: 'mlp.shared_mlp.up_proj',
      ffn_down_shexp: 'mlp.shared_mlp.down_proj',
    },
  },
  'gpt-oss': {
    modelType: 'gpt_oss',
    gating: SOFTMAX_OF_CHOSEN,
    config: (keys) => ({
      ...localExperts(keys),
      intermediate_size: keys.count('expert_feed_forward_length'),
      attention_bias: true,
      sliding_window: keys.window,
      rope_scaling: { ...keys.ropeScaling(), truncate: false }, // the file does not say it
    }),
    modules: {
      'attn_sinks.weight': 'self_attn.sinks',
      post_attention_norm: 'post_attention_layernorm',
      ffn_gate_inp: 'mlp.router',
      'ffn_gate_exps.bias': 'mlp.experts.gate_proj_bias',
      'ffn_up_exps.bias': 'mlp.experts.up_proj_bias',
      'ffn_down_exps.bias': 'mlp.experts.down_proj_bias',
    },
  },
  lfm2moe: {
    modelType: 'lfm2_moe',
    gating: SIGMOID,
    config: (keys) => ({
      ...experts(keys),
      norm_eps: keys.number('attention.layer_norm_rms_epsilon'),
      moe_intermediate_size: keys.count('expert_feed_forward_length'),
      intermediate_size: keys.count('feed_forward_length'),
      num_dense_layers: keys.optionalCount('leading_dense_block_count') ?? 0,
      conv_L_cache: keys.count('shortconv.l_cache'),
      conv_bias: false,
      ...isRenormalised(keys, true),
      routed_scaling_factor: keys.optionalNumber('expert_weights_scale') || 1,
      use_expert_bias: true,
      full_attn_idxs: keys
        .counts('attention.head_count_kv')
        .flatMap((heads, layer) => (heads > 0 ? [layer] : [])),
    }),
    outer: { 'token_embd_norm.weight': 'model.embedding_norm.weight' },
    modules: {
      attn_norm: 'operator_norm',
      attn_q_norm: 'self_attn.q_layernorm',
      attn_k_norm: 'self_attn.k_layernorm',
      attn_output: 'self_attn.out_proj',
      'shortconv.conv': 'conv.conv',
      'shortconv.in_proj': 'conv.in_proj',
      'shortconv.out_proj': 'conv.out_proj',
      ffn_norm: 'ffn_norm',
      ffn_gate: 'feed_forward.w1',
      ffn_up: 'feed_forward.w3',
      ffn_down: 'feed_forward.w2',
      ffn_gate_inp: 'feed_forward.gate',
      'exp_probs_b.bias': 'feed_forward.expert_bias',
      ffn_gate_exps: 'feed_forward.experts.{expert}.w1',
      ffn_up_exps: 'feed_forward.experts.{expert}.w3',
      ffn_down_exps: 'feed_forward.experts.{expert}.w2',
    },
    shapes: { 'shortconv.conv.weight': ([rows = 0, taps = 0]) => [rows, 1, taps] },
  },
  llama4: {
    modelType: 'llama4_text',
    config: (keys) => ({
      ...localExperts(keys),
      intermediate_size: keys.count('expert_feed_forward_length'),
      intermediate_size_mlp: keys.count('feed_forward_length'),
      interleave_moe_layer_step: keys.optionalCount('interleave_moe_layer_step') ?? 1,
      // Of llama.cpp's graph, with all that follows: only Maverick, of 128 experts, has no norm.
      use_qk_norm: keys.count('expert_count') !== 128,
      no_rope_layer_interval: 4,
      attention_chunk_size: 8192,
      attn_temperature_tuning: true,
      attn_scale: 0.1,
      floor_scale: 8192,
    }),
    modules: {
      ffn_gate: 'feed_forward.gate_proj',
      ffn_up: 'feed_forward.up_proj',
      ffn_down: 'feed_forward.down_proj',
      ffn_gate_inp: 'feed_forward.router',
      ffn_gate_exps: 'feed_forward.experts.{expert}.gate_proj',
      ffn_up_exps: 'feed_forward.experts.{expert}.up_proj',
      ffn_down_exps: 'feed_forward.experts.{expert}.down_proj',
      ffn_gate_shexp: 'feed_forward.shared_expert.gate_proj',
      ffn_up_shexp: 'feed_forward.shared_expert.up_proj',
      ffn_down_shexp: 'feed_forward.shared_expert.down_proj',
    },
  },
  phimoe: {
    modelType: 'phimoe',
    config: (keys) => ({
      ...localExperts(keys),
      intermediate_size: expertWidth(keys),
      sliding_window: keys.window,
      attention_bias: keys.hasTensor('blk.0.attn_q.bias'),
      lm_head_bias: keys.hasTensor('output.bias'),
      ...phimoeRope(keys),
    }),
    readsRopeTensors: true,
    outer: { 'output_norm.bias': 'model.norm.bias', 'output.bias': 'lm_head.bias' },
    modules: mixtralExperts,
  },
  smallthinker: (keys) => ({ ...smallThinker, gating: smallThinkerGating(keys) }),
  'minimax-m2': {
    modelType: 'minimax_m2',
    gating: SIGMOID,
    config: (keys) => ({
      ...localExperts(keys),
      intermediate_size: expertWidth(keys),
      rotary_dim: keys.count('rope.dimension_count'),
    }),
    modules: { ...mixtralExperts, 'exp_probs_b.bias': 'block_sparse_moe.e_score_correction_bias' },
  },
};
