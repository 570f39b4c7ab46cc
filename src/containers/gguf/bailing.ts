/** Ling's architectures: DeepSeek's experts behind a router by softmax, or by sigmoid in the second version. */
import type { JsonObject } from '../../io/json-file.ts';
import type { Architecture, Architectures } from './architecture.ts';
import { deepseekExperts, deepseekModules } from './deepseek.ts';
import { SIGMOID, SOFTMAX } from './gating.ts';
import type { GgufKeys } from './keys.ts';

const outer = { 'token_embd.weight': 'model.word_embeddings.weight' };

const modules = {
  ...deepseekModules,
  attn_q: 'attention.q_proj',
  attn_k: 'attention.k_proj',
  attn_v: 'attention.v_proj',
  attn_qkv: 'attention.query_key_value',
  attn_q_norm: 'attention.query_layernorm',
  attn_k_norm: 'attention.key_layernorm',
  attn_output: 'attention.dense',
  'exp_probs_b.bias': 'mlp.gate.expert_bias',
};

/** The converter has normalised the head where `norm_head` says so. */
const config = (keys: GgufKeys): JsonObject => ({
  ...deepseekExperts(keys),
  use_qk_norm: keys.hasTensor('blk.0.attn_q_norm.weight'),
});

/** Its first version, with the rows of q and k in pairs. */
const bailingMoe: Architecture = {
  modelType: 'bailing_moe',
  gating: SOFTMAX,
  hasPairedRows: true,
  config,
  outer,
  modules,
};

/** Its second version: q, k and v as one matrix or three. */
const bailingMoe2: Architecture = {
  modelType: 'bailing_moe_v2',
  gating: SIGMOID,
  config: (keys) => ({
    ...config(keys),
    partial_rotary_factor: keys.count('rope.dimension_count') / keys.headDim,
  }),
  outer,
  modules,
};

export const ARCHITECTURES: Architectures = { bailingmoe: bailingMoe, bailingmoe2: bailingMoe2 };
