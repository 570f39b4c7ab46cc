import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseModel } from './registry.ts';

function config(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
}

const qwen3 = config('fixtures/models/qwen3_moe/config.json');
const qwen2 = config('fixtures/models/qwen2_moe/config.json');

test.each([
  ['fixtures/models/qwen3_moe', 'qwen3_moe', 3],
  ['fixtures/models/olmoe', 'olmoe', 3],
  ['fixtures/models/mixtral', 'mixtral', 3],
  ['fixtures/models/qwen2_moe', 'qwen2_moe', 3],
  ['fixtures/models/granitemoe', 'granitemoe', 3],
  ['demo/public/models/fable-omni-8m', 'omnimoe', 4],
  ['demo/public/models/fable-moe-12m', 'qwen3_moe', 6],
])('%s is %s with %i layers', (folder, family, layers) => {
  const { spec } = parseModel(config(`${folder}/config.json`), folder);
  expect(spec.family).toBe(family);
  expect(spec.layers).toHaveLength(layers);
});

test('granite stacks gate rows before up rows, expert by expert', () => {
  const { spec } = parseModel(config('fixtures/models/granitemoe/config.json'), 'granite');
  const mlp = spec.layers[1]?.mlp;
  expect(mlp?.kind === 'moe' && mlp.expert(2)).toEqual({
    gate: { tensor: 'model.layers.1.block_sparse_moe.input_linear.weight', rowStart: 128, rowCount: 32 },
    up: { tensor: 'model.layers.1.block_sparse_moe.input_linear.weight', rowStart: 160, rowCount: 32 },
    down: { tensor: 'model.layers.1.block_sparse_moe.output_linear.weight', rowStart: 128, rowCount: 64 },
  });
});

test('layers named by mlp_only_layers and decoder_sparse_step are dense', () => {
  const { spec } = parseModel({ ...qwen3, mlp_only_layers: [1], decoder_sparse_step: 1 }, 'q');
  expect(spec.layers.map(({ mlp }) => mlp.kind)).toEqual(['moe', 'dense', 'moe']);
  const stepped = parseModel({ ...qwen3, decoder_sparse_step: 2 }, 'q').spec;
  expect(stepped.layers.map(({ mlp }) => mlp.kind)).toEqual(['dense', 'moe', 'dense']);
});

describe('what cannot run is refused in one sentence', () => {
  test.each([
    [{ model_type: 'llama' }, 'unsupported-model', /model_type "llama" is no family/],
    [{ ...qwen3, hidden_size: undefined }, 'bad-file', /hidden_size is missing; wanted a positive integer/],
    [{ ...qwen3, num_hidden_layers: 2.5 }, 'bad-file', /num_hidden_layers is 2.5; wanted a positive integer/],
    [{ ...qwen3, num_experts_per_tok: 9 }, 'bad-file', /9 experts a token of 8/],
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
    [{ ...qwen3, rope_parameters: { rope_type: 'yarn' } }, 'unsupported-model', /rope scaling "yarn"/],
  ])('%o', (values, code, message) => {
    const parse = () => parseModel(values, 'model');
    expect(parse).toThrow(message);
    expect(parse).toThrow(expect.objectContaining({ name: 'AtomoeError', code }) as Error);
  });
});
