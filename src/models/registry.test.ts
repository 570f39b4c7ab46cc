import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readModel } from '../blocks/family.ts';
import { PEER_CONFIG } from '../engine/peer-model.testing.ts';
import { PLAIN_FAMILIES } from '../engine/plain-families.testing.ts';
import { SMALLTHINKER_CONFIG } from '../engine/smallthinker-model.testing.ts';
import { FAMILIES } from './registry.ts';
import { parseConfig } from './registry.testing.ts';
import { isMoe, type AttentionSpec, type LayerSpec } from './spec.ts';

function config(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
}

/** The first block of a layer mixes tokens, the second is its MLP. */
const blockOf = ({ sublayers }: LayerSpec, index: number) => sublayers[index]!.block;

const qwen3 = config('fixtures/models/qwen3_moe/config.json');
const olmoe = config('fixtures/models/olmoe/config.json');
const qwen2 = config('fixtures/models/qwen2_moe/config.json');
const glm = config('fixtures/models/glm4_moe/config.json');
const deepseekV2 = config('fixtures/models/deepseek_v2/config.json');
const glmLite = config('fixtures/models/glm4_moe_lite/config.json');
const hyV3 = config('fixtures/models/hy_v3/config.json');
const exaone = config('fixtures/models/exaone_moe/config.json');
const lfm2 = config('fixtures/models/lfm2_moe/config.json');
const granite4 = config('fixtures/models/granitemoehybrid/config.json');
const nemotron = config('fixtures/models/nemotron_h/config.json');
const next = config('fixtures/models/qwen3_next/config.json');
const qwen35 = config('fixtures/models/qwen3_5_moe_text/config.json');
const phimoe = config('fixtures/models/phimoe/config.json');
const gemma4 = config('fixtures/models/gemma4_text/config.json');
const llama4 = config('fixtures/models/llama4_text/config.json');
const gptOss = config('fixtures/models/gpt_oss/config.json');
const mellum = PLAIN_FAMILIES['mellum']!.config;
const deepseek = PLAIN_FAMILIES['deepseek']!.config;
const graniteSwa = PLAIN_FAMILIES['granitemoe_swa']!.config;
const afmoe = PLAIN_FAMILIES['afmoe']!.config;
const ling = PLAIN_FAMILIES['bailing_moe']!.config;
const ling2 = PLAIN_FAMILIES['bailing_moe_v2']!.config;
const hunyuan = config('fixtures/models/hunyuan_v1_moe/config.json');

test.each([
  ['fixtures/models/qwen3_moe', 'qwen3_moe', 3],
  ['fixtures/models/olmoe', 'olmoe', 3],
  ['fixtures/models/mixtral', 'mixtral', 3],
  ['fixtures/models/qwen2_moe', 'qwen2_moe', 3],
  ['fixtures/models/granitemoe', 'granitemoe', 3],
  ['fixtures/models/granitemoeshared', 'granitemoeshared', 3],
  ['fixtures/models/dots1', 'dots1', 3],
  ['fixtures/models/glm4_moe', 'glm4_moe', 3],
  ['fixtures/models/ernie4_5_moe', 'ernie4_5_moe', 3],
  ['fixtures/models/minimax_m2', 'minimax_m2', 3],
  ['fixtures/models/hunyuan_v1_moe', 'hunyuan_v1_moe', 3],
  ['fixtures/models/gpt_oss', 'gpt_oss', 3],
  ['fixtures/models/lfm2_moe', 'lfm2_moe', 3],
  ['fixtures/models/solar_open', 'solar_open', 3],
  ['fixtures/models/hy_v3', 'hy_v3', 3],
  ['fixtures/models/exaone_moe', 'exaone_moe', 4],
  ['fixtures/models/deepseek_v2', 'deepseek_v2', 3],
  ['fixtures/models/deepseek_v3', 'deepseek_v3', 3],
  ['fixtures/models/glm4_moe_lite', 'glm4_moe_lite', 3],
  ['fixtures/models/granitemoehybrid', 'granitemoehybrid', 3],
  ['fixtures/models/nemotron_h', 'nemotron_h', 4],
  ['fixtures/models/qwen3_next', 'qwen3_next', 4],
  ['fixtures/models/qwen3_5_moe_text', 'qwen3_5_moe', 4],
  ['fixtures/models/phimoe', 'phimoe', 3],
  ['fixtures/models/gemma4_text', 'gemma4_text', 6],
  ['fixtures/models/llama4_text', 'llama4_text', 4],
  ['demo/public/models/fable-omni-8m', 'omnimoe', 4],
  ['demo/public/models/fable-moe-12m', 'qwen3_moe', 6],
])('%s is %s with %i layers', (folder, family, layers) => {
  const { spec } = parseConfig(config(`${folder}/config.json`), folder);
  expect(spec.family).toBe(family);
  expect(spec.layers).toHaveLength(layers);
});

test('Nemotron 3 writes its layers as letters', () => {
  const { spec } = parseConfig(
    { model_type: 'nemotron_h', hybrid_override_pattern: 'ME*-', num_hidden_layers: 4, norm_eps: 1e-5 },
    'Nemotron 3',
  );
  const kinds = spec.layers.map(({ sublayers }) => sublayers.map(({ block }) => block.kind));
  expect(kinds).toEqual([['stateSpace'], ['moe'], ['attention'], ['dense']]);
});

test.each(FAMILIES.map(({ modelTypes: [type = ''], blocks }) => [type, blocks] as const))(
  'the row of %s names the routers, experts and mixers of its specs',
  (type, kinds) => {
    const folders: Record<string, string> = { omnimoe: 'demo/public/models/fable-omni-8m' };
    const path = folders[type] ?? `fixtures/models/${type}`;
    const isDense = kinds.join() === 'attention';
    const made: Record<string, object> = { peer: PEER_CONFIG, smallthinker: SMALLTHINKER_CONFIG };
    const values =
      made[type] ?? PLAIN_FAMILIES[type]?.config ?? (isDense ? {} : config(`${path}/config.json`));
    const { spec } = parseConfig({ ...values, model_type: type }, type);
    const moes = spec.layers.flatMap(({ sublayers }) => sublayers.map(({ block }) => block)).filter(isMoe);
    const mixers = spec.layers
      .flatMap(({ sublayers }) => sublayers.map(({ block }) => block.kind))
      .filter((kind) => !['moe', 'dense'].includes(kind));
    const named = [...moes.flatMap(({ router, expert }) => [router.score.kind, expert.kind]), ...mixers];
    expect([...new Set(named)].sort()).toEqual([...kinds].sort());
  },
);

test('granite stacks gate rows before up rows, expert by expert', () => {
  const { spec } = parseConfig(config('fixtures/models/granitemoe/config.json'), 'granite');
  const block = 'model.layers.1.block_sparse_moe.';
  expect(blockOf(spec.layers[1]!, 1)).toMatchObject({
    expert: {
      gate: { tensor: `${block}input_linear.weight`, shape: [8, 64, 64], start: 0, count: 32 },
      up: { tensor: `${block}input_linear.weight`, shape: [8, 64, 64], start: 32, count: 32 },
      down: { tensor: `${block}output_linear.weight`, shape: [8, 64, 32] },
    },
  });
});

test('Gemma 4 has other heads in layers without a window, by either spelling, and may be dense', () => {
  const heads = (values: object) =>
    parseConfig({ ...gemma4, ...values }, 'g')
      .spec.layers.slice(4)
      .map((layer) => {
        const { window, headDim, kvHeads, qkv, rope } = blockOf(layer, 0) as AttentionSpec;
        const { tensor, shape } = qkv.weight[2]!;
        return [window, headDim, kvHeads, tensor.split('.').at(-2), shape, rope.scaling?.kind];
      });
  const sliding = [8, 16, 2, 'v_proj', [32, 64], undefined];
  expect(heads({})).toEqual([sliding, [0, 32, 1, 'k_proj', [32, 64], 'factors']]);
  const older = { per_layer_config: null, global_head_dim: 32, num_global_key_value_heads: 1 };
  expect(heads(older)).toEqual(heads({}));
  expect(heads({ attention_k_eq_v: false })[1]![3]).toBe('v_proj');
  const { layers, logitsCap } = parseConfig(
    { ...gemma4, enable_moe_block: false, final_logit_softcapping: null },
    'g',
  ).spec;
  expect(layers.map((layer) => blockOf(layer, 1).kind)).toEqual(Array(6).fill('dense'));
  expect(logitsCap).toBeUndefined();
});

test('Llama 4 has positions, chunks and norms in all layers but each fourth, which has a temperature', () => {
  const parse = (values: object) => parseConfig({ ...llama4, ...values }, 'l').spec.layers;
  const attentions = (values: object) =>
    parse(values).map((layer) => {
      const { chunk, norm, rope, temperature } = blockOf(layer, 0) as AttentionSpec;
      return [chunk, norm.kind, rope.rotaryDim, temperature?.span];
    });
  const [turned, still] = [
    [8192, 'rotated', 16, undefined],
    [undefined, 'none', 0, 8192],
  ];
  expect(attentions({})).toEqual([turned, turned, turned, still]);
  expect(attentions({ no_rope_layers: [], layer_types: null })).toEqual([turned, turned, turned, still]);
  const other = { no_rope_layers: [1, 0, 1, 0], layer_types: null, attention_chunk_size: 5 };
  expect(attentions(other).map(([chunk]) => chunk)).toEqual([5, undefined, 5, undefined]);
  const plain = { use_qk_norm: false, attn_temperature_tuning: false, attention_chunk_size: null };
  const [first] = attentions(plain);
  expect(first).toEqual([undefined, 'none', 16, undefined]);
  expect(attentions(plain)[3]![3]).toBeUndefined();
  const kinds = (values: object) => parse(values).map((layer) => blockOf(layer, 1).kind);
  expect(kinds({ moe_layers: [1] })).toEqual(['dense', 'moe', 'dense', 'dense']);
  expect(kinds({ moe_layers: null, interleave_moe_layer_step: 2 })).toEqual(['dense', 'moe', 'dense', 'moe']);
});

test('Mellum has positions for each type of layers, and dense layers by mlp_layer_types', () => {
  const parse = (values: object) => parseConfig({ ...mellum, ...values }, 'm').spec.layers;
  const ropes = (values: object) =>
    parse(values).map((layer) => {
      const { window, rope } = blockOf(layer, 0) as AttentionSpec;
      return [window, rope.theta, rope.rotaryDim, rope.scaling?.kind];
    });
  const [full, sliding] = [
    [0, 500_000, 16, undefined],
    [6, 10_000, 16, undefined],
  ];
  expect(ropes({})).toEqual([full, sliding, sliding]);
  expect(ropes({ rope_parameters: null })).toEqual([full, sliding, sliding]);
  expect(ropes({ layer_types: null })).toEqual([full, full, full]);
  const rope_parameters = {
    full_attention: { rope_type: 'yarn', rope_theta: 7, factor: 2, original_max_position_embeddings: 32 },
    sliding_attention: { rope_type: 'default', rope_theta: 5, partial_rotary_factor: 0.5 },
  };
  const others = [
    [0, 7, 16, 'yarn'],
    [6, 5, 8, undefined],
  ];
  expect(ropes({ rope_parameters })).toEqual([others[0], others[1], others[1]]);
  const kinds = parse({ mlp_layer_types: ['dense', 'sparse', 'dense'] }).map(
    (layer) => blockOf(layer, 1).kind,
  );
  expect(kinds).toEqual(['dense', 'moe', 'dense']);
});

test('DeepSeekMoE renormalises by default, but never a single expert', () => {
  const normalise = (values: object) => {
    const moe = blockOf(parseConfig({ ...deepseek, ...values }, 'd').spec.layers[1]!, 1);
    return isMoe(moe) && moe.router.weigh?.normalise;
  };
  expect(normalise({})).toBe('none');
  expect(normalise({ norm_topk_prob: null })).toBe('sum');
  expect(normalise({ norm_topk_prob: true, num_experts_per_tok: 1 })).toBe('none');
});

test('Granite MoE with windows has them and positions as lists say, or all but each fourth layer and one base', () => {
  const attentions = (values: object) =>
    parseConfig({ ...graniteSwa, ...values }, 'g').spec.layers.map((layer) => {
      const { window, rope, sinks, scale } = blockOf(layer, 0) as AttentionSpec;
      return [window, rope.rotaryDim === 0 ? 0 : rope.theta, sinks?.split('.').at(-1), scale];
    });
  const each = (windows: number[], thetas: number[]) =>
    windows.map((window, layer) => [window, thetas[layer], 'sinks', 0.25]);
  expect(attentions({})).toEqual(each([0, 5, 5, 5, 0], [0, 10_000, 500, 10_000, 0]));
  const plain = { layer_rope_theta: null, rope_theta: 7, sliding_window: undefined };
  expect(attentions(plain)).toEqual(each([0, 128, 128, 128, 0], Array(5).fill(7)));
  const layer_types = [1, 0, 0, 1, 0].map((isOn) => (isOn ? 'sliding_attention' : 'full_attention'));
  expect(attentions({ ...plain, layer_types })).toEqual(each([128, 0, 0, 128, 0], Array(5).fill(7)));
  const { spec } = parseConfig({ ...graniteSwa, shared_intermediate_size: 0 }, 'g');
  expect(blockOf(spec.layers[0]!, 1)).not.toHaveProperty('shared');
});

test('AFMoE has windows and positions in the same layers, and scaled embeddings if enabled', () => {
  const attentions = (values: object) =>
    parseConfig({ ...afmoe, ...values }, 'a').spec.layers.map((layer) => {
      const { window, rope } = blockOf(layer, 0) as AttentionSpec;
      return [window, rope.rotaryDim];
    });
  const [sliding, full] = [
    [5, 16],
    [0, 0],
  ];
  expect(attentions({})).toEqual([sliding, sliding, sliding, full]);
  expect(attentions({ global_attn_every_n_layers: 2 })).toEqual([sliding, full, sliding, full]);
  const layer_types = ['full_attention', ...Array<string>(3).fill('sliding_attention')];
  expect(attentions({ layer_types })).toEqual([full, sliding, sliding, sliding]);
  const multiplier = (mup_enabled: boolean) =>
    parseConfig({ ...afmoe, mup_enabled }, 'a').spec.embeddingMultiplier;
  expect([multiplier(true), multiplier(false)]).toEqual([Math.sqrt(32), 1]);
});

test('Ling is of its second version by its type or by its class', () => {
  const router = (values: object) => {
    const { layers } = parseConfig({ ...ling2, ...values }, 'l').spec;
    const { rope, norm } = blockOf(layers[1]!, 0) as AttentionSpec;
    const moe = blockOf(layers[1]!, 1);
    return [rope.rotaryDim, norm.kind, isMoe(moe) && moe.router.transform?.[0]?.kind];
  };
  const second = [8, 'head', 'sigmoid'];
  expect(router({})).toEqual(second);
  expect(router({ model_type: 'bailing_moe', architectures: ['BailingMoeV2ForCausalLM'] })).toEqual(second);
  expect(router({ partial_rotary_factor: null, rotary_dim: 8 })).toEqual(second);
  const first = { ...ling, architectures: ['BailingMoeForCausalLM'] };
  const plain = Object.fromEntries(Object.keys(ling2).map((key) => [key, null]));
  expect(router({ ...plain, ...first })).toEqual([16, 'none', 'softmax']);
});

test('biases of Ling are in its matrix of q, k and v, and behind attention', () => {
  const { qkv, out } = blockOf(
    parseConfig({ ...ling, use_qkv_bias: true, use_bias: true }, 'l').spec.layers[0]!,
    0,
  ) as AttentionSpec;
  const at = 'model.layers.0.attention.';
  expect(qkv).toEqual({
    weight: [{ tensor: `${at}query_key_value.weight`, shape: [128, 32] }],
    bias: [{ tensor: `${at}query_key_value.bias`, shape: [128] }],
  });
  expect(out.bias).toEqual([{ tensor: `${at}dense.bias`, shape: [32] }]);
});

test('EXAONE MoE has positions in the layers with a window only, or in all if there is none', () => {
  const rotated = (values: object) =>
    parseConfig({ ...exaone, ...values }, 'e').spec.layers.map((layer) => {
      const { window, rope } = blockOf(layer, 0) as AttentionSpec;
      return [window, rope.rotaryDim];
    });
  const hybrid = [6, 6, 6, 0].map((window) => [window, window === 0 ? 0 : 16]);
  expect(rotated({})).toEqual(hybrid);
  expect(rotated({ layer_types: null })).toEqual(hybrid);
  const full = { sliding_window: null, layer_types: null };
  expect(rotated(full)).toEqual(Array(4).fill([0, 16]));
});

test('layers named by mlp_only_layers and decoder_sparse_step are dense', () => {
  const { spec } = parseConfig({ ...qwen3, mlp_only_layers: [1], decoder_sparse_step: 1 }, 'q');
  expect(spec.layers.map((layer) => blockOf(layer, 1).kind)).toEqual(['moe', 'dense', 'moe']);
  const stepped = parseConfig({ ...qwen3, decoder_sparse_step: 2 }, 'q').spec;
  expect(stepped.layers.map((layer) => blockOf(layer, 1).kind)).toEqual(['dense', 'moe', 'dense']);
});

/** Keys of released models that resemble rejected ones. */
test.each([
  [
    'OLMoE-1B-7B-0924',
    {
      model_type: 'olmoe',
      attention_bias: false,
      clip_qkv: null,
      hidden_size: 2048,
      intermediate_size: 1024,
      num_key_value_heads: 16,
      rope_scaling: null,
      rope_theta: 10000.0,
    },
    { heads: 16, headDim: 128, window: 0 },
  ],
  [
    'Mixtral-8x7B-v0.1',
    { model_type: 'mixtral', rope_theta: 1e6, sliding_window: null, router_aux_loss_coef: 0.02 },
    { heads: 32, headDim: 128, window: 0 },
  ],
  [
    'Qwen1.5-MoE-A2.7B',
    {
      model_type: 'qwen2_moe',
      max_window_layers: 21,
      sliding_window: 32768,
      use_sliding_window: false,
      rope_theta: 1e6,
    },
    { heads: 16, headDim: 128, window: 0 },
  ],
  [
    'Qwen3-30B-A3B',
    {
      model_type: 'qwen3_moe',
      head_dim: 128,
      max_window_layers: 48,
      mlp_only_layers: [],
      num_experts: 128,
      rope_scaling: null,
      rope_theta: 1e6,
      sliding_window: null,
      use_sliding_window: false,
    },
    { heads: 32, headDim: 128, window: 0 },
  ],
  [
    'granite-3.0-1b-a400m',
    {
      model_type: 'granitemoe',
      attention_multiplier: 0.015625,
      hidden_size: 1024,
      num_attention_heads: 16,
      num_key_value_heads: 8,
      rope_scaling: null,
      tie_word_embeddings: true,
      vocab_size: 49155,
    },
    { heads: 16, headDim: 64, scale: 0.015625 },
  ],
  [
    'GLM-4.5-Air',
    {
      model_type: 'glm4_moe',
      attention_bias: true,
      head_dim: 128,
      num_nextn_predict_layers: 1,
      partial_rotary_factor: 0.5,
      rope_scaling: null,
      rope_theta: 1e6,
      topk_group: 1,
      use_qk_norm: false,
    },
    { heads: 96, kvHeads: 8, norm: { kind: 'none' }, rope: { theta: 1e6, rotaryDim: 64, style: 'half' } },
  ],
  [
    'ERNIE-4.5-21B-A3B',
    { model_type: 'ernie4_5_moe', rope_scaling: null, rope_theta: 5e5, moe_capacity: [64, 64, 64] },
    { heads: 20, kvHeads: 4, headDim: 128, rope: { theta: 5e5, rotaryDim: 128, style: 'pair' } },
  ],
  [
    'MiniMax-M2 in 16 bits',
    { model_type: 'minimax_m2', rotary_dim: 64, rope_theta: 5e6, scoring_func: 'sigmoid', use_qk_norm: true },
    { heads: 48, headDim: 128, norm: { kind: 'vector' }, rope: { theta: 5e6, rotaryDim: 64 } },
  ],
  [
    'Hunyuan-A13B',
    {
      model_type: 'hunyuan_v1_moe',
      intermediate_size: 3072,
      moe_intermediate_size: Array(32).fill(3072),
      moe_topk: Array(32).fill(8),
      n_group: false,
      num_experts: 64,
      num_key_value_heads: 8,
      num_shared_expert: Array(32).fill(1),
      rope_scaling: { alpha: 1000, beta_fast: 32, beta_slow: 1, factor: 1, mscale: 1, type: 'dynamic' },
      rope_theta: 1e4,
      use_cla: false,
    },
    { heads: 32, norm: { kind: 'rotated' }, rope: { theta: 1e4 * 1000 ** (128 / 126), rotaryDim: 128 } },
  ],
  [
    'Llama-3.2-1B',
    {
      model_type: 'llama',
      head_dim: 64,
      hidden_size: 2048,
      intermediate_size: 8192,
      num_key_value_heads: 8,
      rope_scaling: {
        factor: 32,
        high_freq_factor: 4,
        low_freq_factor: 1,
        original_max_position_embeddings: 8192,
        rope_type: 'llama3',
      },
      rope_theta: 5e5,
      tie_word_embeddings: true,
    },
    {
      kvHeads: 8,
      rope: {
        theta: 5e5,
        scaling: {
          kind: 'llama3',
          factor: 32,
          lowFrequencyFactor: 1,
          highFrequencyFactor: 4,
          originalPositions: 8192,
        },
      },
    },
  ],
  [
    'Qwen3 with YaRN',
    {
      model_type: 'qwen3',
      rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 32_768 },
    },
    {
      norm: { kind: 'head' },
      rope: {
        scaling: {
          kind: 'yarn',
          factor: 4,
          originalPositions: 32_768,
          betaFast: 32,
          betaSlow: 1,
          truncate: true,
          amplitude: 0.1 * Math.log(4) + 1,
        },
      },
    },
  ],
  [
    'gpt-oss-20b in 16 bits',
    {
      model_type: 'gpt_oss',
      experts_per_token: 4,
      initial_context_length: 4096,
      num_hidden_layers: 24,
      num_local_experts: 32,
      rope_scaling: {
        beta_fast: 32,
        beta_slow: 1,
        factor: 32,
        original_max_position_embeddings: 4096,
        rope_type: 'yarn',
        truncate: false,
      },
      rope_theta: 150_000,
      swiglu_limit: 7,
    },
    {
      heads: 64,
      kvHeads: 8,
      headDim: 64,
      window: 128,
      sinks: 'model.layers.0.self_attn.sinks',
      rope: { theta: 150_000, scaling: { factor: 32, truncate: false, amplitude: 0.1 * Math.log(32) + 1 } },
    },
  ],
  [
    'gpt-oss without rope_scaling, which the class then has',
    { model_type: 'gpt_oss' },
    { window: 128, rope: { theta: 150_000, scaling: { kind: 'yarn', factor: 32, truncate: false } } },
  ],
  [
    'DeepSeek-V2-Lite',
    {
      model_type: 'deepseek_v2',
      first_k_dense_replace: 1,
      hidden_size: 2048,
      moe_intermediate_size: 1408,
      moe_layer_freq: 1,
      n_routed_experts: 64,
      norm_topk_prob: false,
      num_attention_heads: 16,
      num_experts_per_tok: 6,
      q_lora_rank: null,
      rope_scaling: {
        beta_fast: 32,
        beta_slow: 1,
        factor: 40,
        mscale: 0.707,
        mscale_all_dim: 0.707,
        original_max_position_embeddings: 4096,
        type: 'yarn',
      },
      rope_theta: 10_000,
      scoring_func: 'softmax',
      seq_aux: true,
      topk_group: 1,
      topk_method: 'greedy',
    },
    {
      kind: 'latentAttention',
      heads: 16,
      rank: 512,
      nope: 128,
      valueDim: 128,
      scale: (0.1 * 0.707 * Math.log(40) + 1) ** 2 / Math.sqrt(192),
      rope: { rotaryDim: 64, style: 'pair', scaling: { kind: 'yarn', factor: 40, amplitude: 1 } },
    },
  ],
  [
    'Moonlight-16B-A3B',
    {
      model_type: 'deepseek_v3',
      hidden_size: 2048,
      n_group: 1,
      n_routed_experts: 64,
      num_attention_heads: 16,
      num_experts_per_tok: 6,
      num_nextn_predict_layers: 0,
      q_lora_rank: null,
      rope_scaling: null,
      rope_theta: 50_000,
      routed_scaling_factor: 2.446,
      scoring_func: 'sigmoid',
      topk_group: 1,
      topk_method: 'noaux_tc',
    },
    { kind: 'latentAttention', heads: 16, scale: 1 / Math.sqrt(192), rope: { theta: 50_000 } },
  ],
  [
    'GLM-4.7-Flash',
    { model_type: 'glm4_moe_lite', first_k_dense_replace: 1, rope_theta: 1e6, topk_method: 'noaux_tc' },
    {
      kind: 'latentAttention',
      heads: 20,
      valueDim: 256,
      queryLatent: { rank: 768 },
      rope: { theta: 1e6, rotaryDim: 64 },
    },
  ],
  [
    'LFM2-8B-A1B',
    {
      model_type: 'lfm2_moe',
      block_auto_adjust_ff_dim: false,
      conv_L_cache: 3,
      full_attn_idxs: [0, 2, 6, 10, 14, 18, 21],
      num_hidden_layers: 24,
      rope_theta: 1e6,
      tie_embedding: true,
    },
    { kind: 'attention', heads: 32, kvHeads: 8, headDim: 64, norm: { kind: 'head' }, rope: { theta: 1e6 } },
  ],
  [
    'Phi-3.5-MoE',
    {
      ...phimoe,
      hidden_size: 4096,
      num_attention_heads: 32,
      max_position_embeddings: 131_072,
      original_max_position_embeddings: 4096,
      sliding_window: 131_072,
      rope_theta: 1e4,
      rope_parameters: null,
      rope_scaling: {
        ...{ type: 'longrope', original_max_position_embeddings: 4096 },
        ...{ long_factor: Array(64).fill(2), long_mscale: 1.243163121016122 },
        ...{ short_factor: Array(64).fill(1), short_mscale: 1.243163121016122 },
      },
    },
    {
      ...{ headDim: 128, window: 131_072 },
      rope: {
        theta: 1e4,
        scaling: { kind: 'factors', beyond: { positions: 4096, amplitude: 1.243163121016122 } },
      },
    },
  ],
  [
    'Qwen2 with a window',
    { model_type: 'qwen2', use_sliding_window: true, sliding_window: 9, max_window_layers: 0 },
    { window: 9, norm: { kind: 'none' } },
  ],
])('%s parses', async (label, values: object, attention) => {
  const { spec } = await readModel({ ...values }, label);
  expect(blockOf(spec.layers[0]!, 0)).toMatchObject(attention);
});

describe('sliding windows are in the layers that the class prescribes', () => {
  const windows = (values: object) =>
    parseConfig({ ...values }, 'model').spec.layers.map(
      (layer) => (blockOf(layer, 0) as AttentionSpec).window,
    );

  test('Mixtral: in all layers', () => {
    const mixtral = config('fixtures/models/mixtral/config.json');
    expect(windows({ ...mixtral, sliding_window: 5 })).toEqual([5, 5, 5]);
    expect(windows({ ...mixtral, sliding_window: null })).toEqual([0, 0, 0]);
  });

  test('Qwen3: in all layers if enabled, 4096 by default', () => {
    expect(windows({ ...qwen3, sliding_window: 7 })).toEqual([0, 0, 0]);
    expect(windows({ ...qwen3, use_sliding_window: true, sliding_window: 7 })).toEqual([7, 7, 7]);
    const { sliding_window: _, ...rest } = qwen3;
    expect(windows({ ...rest, use_sliding_window: true })).toEqual([4096, 4096, 4096]);
    expect(windows({ ...rest, use_sliding_window: true, sliding_window: null })).toEqual([0, 0, 0]);
  });

  test('Qwen2: in every second layer below max_window_layers, or as in layer_types', () => {
    const on = { ...qwen2, layer_types: null, use_sliding_window: true, sliding_window: 6 };
    expect(windows(on)).toEqual([6, 0, 6]);
    expect(windows({ ...on, max_window_layers: 2 })).toEqual([6, 0, 0]);
    const layer_types = ['full_attention', 'sliding_attention', 'full_attention'];
    expect(windows({ ...on, layer_types })).toEqual([0, 6, 0]);
    expect(() => windows({ ...on, layer_types, use_sliding_window: false })).toThrow(/layer_types with/);
  });
});

describe('unsupported models are rejected in one sentence', () => {
  test.each([
    [{ model_type: 'gpt2' }, 'unsupported-model', /model_type "gpt2" is not a supported family/],
    [{ model_type: 'omnimoe' }, 'bad-file', /hidden_size is missing; wanted a positive integer/],
    [{ ...qwen3, num_hidden_layers: 2.5 }, 'bad-file', /num_hidden_layers is 2.5; wanted a positive integer/],
    [{ ...qwen3, num_experts_per_tok: 9 }, 'bad-file', /9 experts per token of 8/],
    [
      { ...qwen3, num_attention_heads: 3, num_key_value_heads: 2 },
      'bad-file',
      /3 heads over 2 key-value heads/,
    ],
    [{ ...qwen3, hidden_act: 'mish' }, 'unsupported-model', /activation "mish"/],
    [{ ...qwen3, head_dim: 30 }, 'unsupported-model', /head_dim is 30; wanted a multiple of 4/],
    [
      { ...qwen2, shared_expert_intermediate_size: 30 },
      'unsupported-model',
      /the shared expert's intermediate size is 30; wanted a multiple of 4/,
    ],
    [{ ...qwen3, hidden_act: 'constructor' }, 'unsupported-model', /activation "constructor"/],
    [
      { ...qwen3, model_type: '__proto__' },
      'unsupported-model',
      /model_type "__proto__" is not a supported family/,
    ],
    [{ ...qwen3, rope_parameters: { rope_type: 'yarn' } }, 'bad-file', /rope_parameters: factor is missing/],
    [{ ...qwen3, rope_scaling: { type: 'longrope' } }, 'unsupported-model', /rope scaling "longrope"/],
    [
      { ...qwen3, rope_scaling: { type: 'dynamic', alpha: 9 } },
      'unsupported-model',
      /rope scaling "dynamic"/,
    ],
    [
      { ...qwen3, rope_scaling: { type: 'linear', factor: 2 } },
      'bad-file',
      /rope_parameters is .* and rope_sc/,
    ],
    [{ ...glm, scoring_func: 'softmax' }, 'unsupported-model', /scoring_func "softmax"/],
    [{ ...glm, n_group: 3, topk_group: 1 }, 'bad-file', /2 of 8 experts, in 1 of 3 groups/],
    [{ ...glm, n_group: 8, topk_group: 1 }, 'bad-file', /2 of 8 experts, in 1 of 8 groups/],
    [{ ...glm, rotary_dim: 6 }, 'bad-file', /rotary_dim is 6 and partial_rotary_factor is 0.5/],
    [{ ...glm, num_nextn_predict_layers: -1 }, 'unsupported-model', /num_nextn_predict_layers -1/],
    [{ ...hunyuan, moe_topk: [2, 2] }, 'bad-file', /moe_topk is \[2,2\]; wanted a positive number, or 3/],
    [{ ...hunyuan, moe_intermediate_size: 64 }, 'unsupported-model', /moe_intermediate_size 64/],
    [{ ...hunyuan, num_shared_expert: [1, 2, 1] }, 'unsupported-model', /num_shared_expert 2/],
    [{ ...deepseekV2, norm_topk_prob: true }, 'unsupported-model', /norm_topk_prob/],
    [{ ...deepseekV2, topk_method: 'noaux_tc' }, 'unsupported-model', /topk_method/],
    [{ ...deepseekV2, kv_lora_rank: 30 }, 'unsupported-model', /kv_lora_rank is 30; wanted a multiple of 4/],
    [{ ...glmLite, mlp_layer_types: ['dense'] }, 'bad-file', /the length of mlp_layer_types is 1/],
    [{ ...glmLite, mlp_layer_types: Array(3).fill('mixed') }, 'unsupported-model', /MLP type "mixed"/],
    [{ ...hyV3, norm_topk_prob: false }, 'unsupported-model', /norm_topk_prob/],
    [
      { ...exaone, layer_types: null, sliding_window_pattern: 'LLLG' },
      'bad-file',
      /sliding_window_pattern is/,
    ],
    [{ ...gemma4, num_kv_shared_layers: 2 }, 'unsupported-model', /num_kv_shared_layers 2/],
    [{ ...gemma4, hidden_size_per_layer_input: 8 }, 'unsupported-model', /hidden_size_per_layer_input 8/],
    [{ ...gemma4, use_double_wide_mlp: true }, 'unsupported-model', /use_double_wide_mlp/],
    [
      { ...gemma4, use_bidirectional_attention: 'all' },
      'unsupported-model',
      /use_bidirectional_attention "all"/,
    ],
    [{ ...gemma4, final_logit_softcapping: -1 }, 'bad-file', /final_logit_softcapping is -1/],
    [{ ...llama4, num_experts_per_tok: 2 }, 'unsupported-model', /num_experts_per_tok 2/],
    [
      { ...llama4, layer_types: Array(4).fill('sliding_attention') },
      'unsupported-model',
      /layer type "sliding/,
    ],
    [
      { ...llama4, no_rope_layers: [1, 0] },
      'bad-file',
      /num_hidden_layers is 4 .* length of no_rope_layers is 2/,
    ],
    [{ ...phimoe, num_experts_per_tok: 1 }, 'unsupported-model', /num_experts_per_tok 1/],
    [{ ...phimoe, head_dim: 20 }, 'unsupported-model', /short_factor of 8 numbers; .* 10 numbers/],
    [
      { ...phimoe, rope_parameters: { ...(phimoe['rope_parameters'] as object), long_mscale: null } },
      'bad-file',
      /long_mscale/,
    ],
    [
      { ...mellum, sliding_window: null },
      'unsupported-model',
      /layer_types with "sliding_attention" in layer 1/,
    ],
    [{ ...mellum, mlp_layer_types: ['dense'] }, 'bad-file', /the length of mlp_layer_types is 1/],
    [{ ...mellum, rope_parameters: { rope_theta: 5 } }, 'bad-file', /rope_theta is missing/],
    [
      { ...mellum, rope_parameters: { full_attention: { rope_theta: 5 } } },
      'bad-file',
      /rope_theta is missing/,
    ],
    [{ ...deepseek, moe_layer_freq: 2 }, 'unsupported-model', /moe_layer_freq 2/],
    [{ ...deepseek, scoring_func: 'sigmoid' }, 'unsupported-model', /scoring_func is "sigmoid"/],
    [{ ...deepseek, topk_method: 'group_limited_greedy' }, 'unsupported-model', /topk_method is/],
    [{ ...deepseek, n_group: 2 }, 'unsupported-model', /n_group is 2/],
    [{ ...deepseek, routed_scaling_factor: 2 }, 'unsupported-model', /routed_scaling_factor is 2/],
    [{ ...deepseek, sliding_window: 8 }, 'unsupported-model', /sliding_window 8/],
    [{ ...graniteSwa, layer_rope_theta: [0, 1e4] }, 'bad-file', /the length of layer_rope_theta is 2/],
    [
      { ...graniteSwa, layer_rope_theta: [0, -1, 1, 1, 1] },
      'unsupported-model',
      /layer_rope_theta \[0,-1,1,1,1\]/,
    ],
    [{ ...graniteSwa, layer_rope_theta: [0, '1', 1, 1, 1] }, 'unsupported-model', /layer_rope_theta \[0,"1"/],
    [{ ...graniteSwa, layer_rope_theta: 1e4 }, 'bad-file', /layer_rope_theta is 10000; wanted a list/],
    [{ ...graniteSwa, sliding_window: null }, 'unsupported-model', /sliding_window null/],
    [{ ...graniteSwa, num_local_experts: 0 }, 'unsupported-model', /num_local_experts 0/],
    [{ ...afmoe, route_norm: false }, 'unsupported-model', /route_norm false/],
    [{ ...afmoe, score_func: 'softmax' }, 'unsupported-model', /score_func "softmax"/],
    [{ ...afmoe, n_group: 2 }, 'unsupported-model', /n_group 2/],
    [{ ...afmoe, num_limited_groups: 2 }, 'unsupported-model', /num_limited_groups 2/],
    [{ ...afmoe, sliding_window: null }, 'unsupported-model', /sliding_window null/],
    [{ ...afmoe, global_attn_every_n_layers: 0 }, 'bad-file', /global_attn_every_n_layers is 0/],
    [{ ...ling, multi_gate: true }, 'unsupported-model', /multi_gate true/],
    [{ ...ling, use_sliding_window: true }, 'unsupported-model', /use_sliding_window true/],
    [{ ...ling, use_rmsnorm: false }, 'unsupported-model', /use_rmsnorm false/],
    [{ ...ling, partial_rotary_factor: 0.5 }, 'unsupported-model', /partial_rotary_factor 0.5/],
    [{ ...ling, score_function: 'sigmoid' }, 'unsupported-model', /score_function "sigmoid"/],
    [{ ...ling, n_group: 2, topk_group: 1 }, 'unsupported-model', /n_group is 2/],
    [{ ...ling, layer_types: Array(3).fill('sliding_attention') }, 'unsupported-model', /layer_types with/],
    [
      { ...ling2, moe_shared_expert_intermediate_size: 24 },
      'unsupported-model',
      /moe_shared_expert_intermediate_size 24/,
    ],
    [{ ...ling2, score_function: 'softmax' }, 'unsupported-model', /score_function "softmax"/],
    [{ ...ling2, norm_topk_prob: false }, 'unsupported-model', /norm_topk_prob false/],
    [{ ...ling2, num_experts_per_tok: 1 }, 'unsupported-model', /one expert per token/],
    [
      { ...ling2, moe_router_enable_expert_bias: false },
      'unsupported-model',
      /moe_router_enable_expert_bias/,
    ],
    [{ ...ling2, n_group: 3 }, 'bad-file', /3 of 8 experts, in 2 of 3 groups/],
    [{ ...lfm2, conv_bias: true }, 'unsupported-model', /conv_bias/],
    [{ ...lfm2, conv_L_cache: 1 }, 'unsupported-model', /a convolution over 1 token/],
    [{ ...lfm2, layer_types: ['conv', 'conv'] }, 'bad-file', /num_hidden_layers is 3 and the length of/],
    [{ ...lfm2, layer_types: ['conv', 'mamba', 'conv'] }, 'unsupported-model', /layer type "mamba"/],
    [{ ...granite4, layer_types: ['mamba', 'conv', 'mamba'] }, 'unsupported-model', /layer type "conv"/],
    [{ ...granite4, layer_types: ['mamba'] }, 'bad-file', /num_hidden_layers is 3 and the length of/],
    [{ ...granite4, hidden_act: 'gelu' }, 'unsupported-model', /activation "gelu"/],
    [{ ...granite4, mamba_d_head: 8 }, 'bad-file', /mamba_n_heads \* mamba_d_head is 64 and mamba_expand/],
    [{ ...granite4, mamba_d_conv: 1 }, 'unsupported-model', /a convolution over 1 token/],
    [{ ...granite4, mamba_n_groups: 3 }, 'unsupported-model', /8 heads in 3 groups/],
    [{ ...granite4, time_step_limit: [0.1] }, 'unsupported-model', /time_step_limit \[0.1\]/],
    [
      { ...granite4, position_embedding_type: 'alibi' },
      'unsupported-model',
      /position_embedding_type "alibi"/,
    ],
    [{ ...granite4, sliding_window: 8 }, 'unsupported-model', /sliding_window 8/],
    [{ ...nemotron, moe_latent_size: 32 }, 'unsupported-model', /moe_latent_size 32/],
    [{ ...nemotron, mlp_hidden_act: 'silu' }, 'unsupported-model', /mlp_hidden_act "silu"/],
    [{ ...nemotron, use_bias: true }, 'unsupported-model', /use_bias/],
    [{ ...nemotron, n_shared_experts: 2 }, 'unsupported-model', /n_shared_experts 2/],
    [{ ...nemotron, layers_block_type: ['conv'] }, 'unsupported-model', /layer type "conv"/],
    [{ ...nemotron, num_hidden_layers: 3 }, 'bad-file', /num_hidden_layers is 3 and the number of types/],
    [{ ...next, attention_bias: true }, 'unsupported-model', /attention_bias/],
    [{ ...next, hidden_act: 'gelu' }, 'unsupported-model', /activation "gelu"/],
    [{ ...next, layer_types: ['conv', 'mamba', 'mamba', 'mamba'] }, 'unsupported-model', /layer type "conv"/],
    [{ ...next, linear_num_value_heads: 5 }, 'unsupported-model', /5 value heads over 2 key heads/],
    [{ ...next, linear_conv_kernel_dim: 1 }, 'unsupported-model', /a convolution over 1 token/],
    [{ ...qwen35, norm_topk_prob: false }, 'unsupported-model', /norm_topk_prob/],
    [{ ...qwen35, mlp_only_layers: [1] }, 'unsupported-model', /mlp_only_layers/],
    [{ ...gptOss, swiglu_limit: 5 }, 'unsupported-model', /swiglu_limit 5/],
    [{ ...gptOss, hidden_act: 'gelu' }, 'unsupported-model', /hidden_act "gelu"/],
    [{ ...hunyuan, use_cla: true }, 'unsupported-model', /use_cla is true/],
    [{ ...qwen3, rope_scaling: { factor: 2 } }, 'unsupported-model', /rope scaling by factor/],
    [
      { ...qwen3, rope_parameters: { full_attention: { rope_theta: 1 } } },
      'unsupported-model',
      /rope scaling by full_attention/,
    ],
    [
      { ...qwen3, rope_theta: 5 },
      'bad-file',
      /rope_theta is 10000 and another is 5; wanted one, or equal values/,
    ],
    [{ ...qwen3, partial_rotary_factor: 0.5 }, 'unsupported-model', /partial_rotary_factor 0.5/],
    [
      { ...qwen3, rope_parameters: { partial_rotary_factor: 0.25 } },
      'unsupported-model',
      /partial_rotary_factor 0.25/,
    ],
    [{ ...qwen3, rms_norm_eps: 0 }, 'bad-file', /rms_norm_eps is 0; wanted a number above 0/],
    [{ ...qwen3, num_experts: 4 }, 'bad-file', /num_experts is 4 and num_local_experts is 8/],
    [{ ...qwen3, layer_types: ['full_attention'] }, 'bad-file', /num_hidden_layers is 3 and the length of/],
    [{ ...qwen3, layer_types: ['conv', 'conv', 'conv'] }, 'unsupported-model', /layer type "conv"/],
    [{ ...qwen3, layer_types: Array(3).fill('sliding_attention') }, 'unsupported-model', /layer_types with/],
    [{ ...olmoe, sliding_window: 8 }, 'unsupported-model', /sliding_window 8; this family runs with full/],
    [{ ...olmoe, clip_qkv: 0 }, 'bad-file', /clip_qkv is 0; wanted a number above 0/],
  ])('%o', async (values, code, message) => {
    await expect(readModel(values, 'model')).rejects.toMatchObject({
      name: 'AtomoeError',
      code,
      message: expect.stringMatching(message),
    });
  });
});

test.each<[string, unknown]>([
  ['final_logit_softcapping', 30],
  ['attn_logit_softcapping', 50],
  ['logit_scale', 0.0625],
  ['clip_qkv', 8],
  ['embedding_multiplier', 12],
  ['residual_multiplier', 0.22],
  ['scale_depth', 1.4],
  ['routed_scaling_factor', 2.5],
  ['n_group', 8],
  ['scoring_func', 'sigmoid'],
  ['topk_method', 'noaux_tc'],
  ['position_embedding_type', 'nope'],
  ['use_parallel_residual', true],
])('%s: %j changes what is computed, and is refused by a family that does not read it', (key, value) => {
  expect(() => parseConfig({ ...qwen3, [key]: value }, 'q')).toThrow(
    expect.objectContaining({
      code: 'unsupported-model',
      message: expect.stringContaining(`${key} is ${JSON.stringify(value)}`),
    }),
  );
});

test('such keys are accepted if they have no effect or the family reads them', () => {
  const neutral = {
    ...{ final_logit_softcapping: null, logit_scale: 1, clip_qkv: null, embedding_multiplier: 1 },
    ...{ routed_scaling_factor: 1, n_group: 1, topk_group: null, scoring_func: 'softmax', alibi: false },
  };
  expect(parseConfig({ ...qwen3, ...neutral }, 'q').spec).toEqual(parseConfig(qwen3, 'q').spec);
  const granite = config('fixtures/models/granitemoe/config.json');
  expect(parseConfig({ ...granite, embedding_multiplier: 12 }, 'g').spec.embeddingMultiplier).toBe(12);
});
