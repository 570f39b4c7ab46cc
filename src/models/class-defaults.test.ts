import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { ConfigValues } from './config.ts';
import { CLASS_DEFAULTS, parseConfig } from './registry.testing.ts';
import type { AttentionSpec, LayerSpec, MoeSpec } from './spec.ts';

/** All fields with a default in the classes of transformers 5.18.0. */
const CLASSES = JSON.parse(
  readFileSync('fixtures/configs/transformers-5.18.0-defaults.json', 'utf8'),
) as Record<string, ConfigValues>;

/** Fields of the classes that do not affect logits, or that other files provide. */
const UNUSED = new Set([
  'attention_dropout',
  'bos_token_id',
  'chunk_size', // of an algorithm
  'clip_qkv', // null
  'enable_moe_fp32_combine', // all sums are f32
  'eod_token_id',
  'eos_token_id',
  'expand', // sizes are given by heads
  'hidden_dropout',
  'initializer_range',
  'layer_types', // null
  'mamba_chunk_size', // of an algorithm
  'mamba_ssm_cache_dtype', // f32
  'mlp_only_layers', // null
  'moe_shared_expert_overlap',
  'num_logits_to_keep',
  'num_nextn_predict_layers', // 0
  'num_mtp_layers', // of modules that are not run
  'output_router_logits',
  'pad_token_id',
  'pretraining_tp',
  'rope_parameters', // null
  'rescale_prenorm_residual', // of training
  'residual_in_fp32', // always
  'router_aux_loss_coef',
  'router_jitter_noise',
  'sep_token_id',
  'time_step_floor', // of training
  'time_step_limit', // above 0
  'time_step_max', // of training
  'use_cache',
  'use_mamba_kernels',
]);

/** Keys without which a class has no model: no default, or defaults that do not go together. */
const REQUIRED: Readonly<Record<string, ConfigValues>> = {
  dots1: { n_routed_experts: 128, num_experts_per_tok: 6 },
  glm4_moe: { head_dim: 128 },
  nemotron_h: { num_hidden_layers: 2, hybrid_override_pattern: 'M*' },
  deepseek_v2: { num_experts_per_tok: 6 },
};

describe.each(Object.entries(CLASSES))('%s', (type, fields) => {
  test('the table has exactly the defaults that affect logits', () => {
    const wanted = Object.entries(fields).filter(([key, value]) => !UNUSED.has(key) && value !== null);
    expect(CLASS_DEFAULTS.get(type)).toEqual(Object.fromEntries(wanted));
  });

  test('a config without other keys has the defaults of the class', () => {
    const { spec } = parseConfig({ ...REQUIRED[type], model_type: type }, type);
    expect(spec.layers).toHaveLength(
      Number(fields['num_hidden_layers'] ?? REQUIRED[type]?.['num_hidden_layers']),
    );
    const eps = fields['rms_norm_eps'] ?? fields['norm_eps'] ?? fields['layer_norm_epsilon'];
    expect(spec).toMatchObject({ vocab: fields['vocab_size'], eps });
  });
});

const first = (config: ConfigValues) => parseConfig(config, 'model').spec.layers[0]!;
const attentionOf = (layer: LayerSpec) => layer.sublayers[0]!.block as AttentionSpec;
const routerOf = (layer: LayerSpec) => (layer.sublayers[1]!.block as MoeSpec).router;

/** Defaults that configs of released models rely on, equal to those of the class in transformers. */
test.each([
  [
    'olmoe',
    { vocab: 50304, maxContextTokens: 4096, eps: 1e-5 },
    { heads: 16, kvHeads: 16, headDim: 128 },
    1e4,
  ],
  ['mixtral', { vocab: 32000, hidden: 4096, eps: 1e-5 }, { heads: 32, kvHeads: 8, headDim: 128 }, 1e6],
  ['qwen2_moe', { vocab: 151936, hidden: 2048, eps: 1e-6 }, { heads: 16, kvHeads: 16, headDim: 128 }, 1e4],
  ['qwen3_moe', { vocab: 151936, hidden: 2048, eps: 1e-6 }, { heads: 32, kvHeads: 4, headDim: 64 }, 1e4],
  ['granitemoe', { hidden: 4096, eps: 1e-6, residualMultiplier: 1 }, { kvHeads: 32, scale: 1 }, 1e4],
])('%s by default', (model_type, model, attention, theta) => {
  const { spec } = parseConfig({ model_type }, model_type);
  expect(spec).toMatchObject({ ...model, head: 'lm_head.weight' });
  expect(attentionOf(spec.layers[0]!)).toMatchObject({ ...attention, rope: { theta } });
});

test('only Mixtral renormalises weights of chosen experts by default', () => {
  const renorm = (config: ConfigValues) => routerOf(first(config)).weigh?.normalise;
  const types = ['mixtral', 'qwen2_moe', 'qwen3_moe', 'olmoe'];
  expect(types.map((model_type) => renorm({ model_type }))).toEqual(['sum', 'none', 'none', 'none']);
  expect(renorm({ model_type: 'qwen3_moe', norm_topk_prob: true })).toBe('sum');
});

test('with null key-value heads, there are as many as heads', () => {
  expect(attentionOf(first({ model_type: 'mixtral', num_key_value_heads: null })).kvHeads).toBe(32);
});
