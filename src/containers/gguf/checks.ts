/** Refuses files whose metadata asks for another computation than the one that runs. */
import type { Architecture } from './architecture.ts';
import type { GgufValue } from './header.ts';
import type { GgufKeys } from './keys.ts';

/** Keys that change what a model computes, with the values that change nothing, for architectures that do not read them. */
const CHANGING: Readonly<Record<string, readonly GgufValue[]>> = {
  'attention.causal': [true],
  'attention.clamp_kqv': [0],
  'attention.max_alibi_bias': [0],
  'attention.output_scale': [0, 1],
  'attention.scale': [0],
  'attention.temperature_length': [0],
  'attention.temperature_scale': [0],
  attn_logit_softcapping: [0],
  embedding_scale: [0, 1],
  expert_group_count: [0, 1],
  expert_group_scale: [0, 1],
  expert_group_used_count: [0, 1],
  expert_weights_norm: [true],
  expert_weights_scale: [0, 1],
  experts_per_group: [0, 1],
  final_logit_softcapping: [0],
  full_attention_interval: [0, 1],
  interleave_moe_layer_step: [0, 1],
  leading_dense_block_count: [0],
  logit_scale: [0, 1],
  moe_every_n_layers: [0, 1],
  moe_latent_size: [0],
  residual_scale: [0, 1],
  'rope.scaling.attn_factor': [0, 1],
  'rope.scaling.yarn_attn_factor': [1],
  'rope.scaling.yarn_ext_factor': [-1, 1],
  'rope.scaling.yarn_log_multiplier': [0],
  router_logit_softcapping: [0],
  use_parallel_residual: [false],
};

/**
 * Checks the keys that nobody has read, after the config was made of the others.
 *
 * @throws {AtomoeError} unsupported-model - a key asks for what is not run; bad-file - one contradicts the tensors
 */
export function checkUnread(keys: GgufKeys, { gating }: Architecture): void {
  keys.expect('vocab_size', keys.vocab, 'the rows of token_embd.weight');
  expectUnread(keys, 'rope.dimension_count', keys.headDim, 'the size of a head');
  expectUnread(keys, 'attention.value_length', keys.headDim, 'the size of a head');
  if (gating !== undefined) keys.expect('expert_gating_func', gating, 'as its router scores');
  checkWindow(keys);
  for (const [name, neutral] of Object.entries(CHANGING)) {
    const value = keys.unread(name);
    if (value !== undefined && !neutral.includes(value)) {
      keys.refuseUnread(name, value, neutral.length > 0 ? neutral.join(' or ') : 'none');
    }
  }
}

/** The same of a key that an architecture may have read for something else. */
function expectUnread(keys: GgufKeys, name: string, fact: number, what: string): void {
  if (keys.unread(name) !== undefined) keys.expect(name, fact, what);
}

/** A window that no context fills is none. */
function checkWindow(keys: GgufKeys): void {
  const name = 'attention.sliding_window';
  const value = keys.unread(name);
  if (value === undefined) return;
  const window = keys.optionalCount(name) ?? 0;
  if (window !== 0 && window < keys.count('context_length'))
    keys.refuseUnread(name, window, 'full attention');
}
