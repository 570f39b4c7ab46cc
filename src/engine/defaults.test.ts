/** Which kernels run where no one has measured: for each class of adapter, and for models of both kinds. */
import { expect, test } from 'vitest';
import type { AdapterClass } from '../gpu/adapter-class.ts';
import { DEFAULT_LIMITS } from '../gpu/device.ts';
import type { Feature } from '../gpu/program.ts';
import { lower } from '../graph/plan.ts';
import type { Scalar } from '../graph/tensor.ts';
import { realGraph, REAL_SIZES, realWeights } from './real-sizes.testing.ts';

interface Case {
  readonly adapterClass: AdapterClass;
  readonly model: string;
  readonly tokens: number;
  readonly features?: readonly Feature[];
  readonly scalar?: Scalar;
}

/** The pipelines of a plan, each once. */
function defaults({ adapterClass, model, tokens, features = ['subgroups'], scalar = 'f32' }: Case): string[] {
  const size = REAL_SIZES.find(({ name }) => name === model);
  if (!size) throw new Error(`no ${model}`);
  const limits = { ...DEFAULT_LIMITS, maxBindingBytes: 2 ** 31 };
  const purpose = { logits: 'last', sample: true, contextTokens: 4096 } as const;
  const { dispatches } = lower(
    { adapterClass, features: new Set(features), limits },
    realGraph(size, purpose),
    realWeights(size, 'q4_0', limits.maxBindingBytes),
    { label: model, maxTokens: tokens, contextTokens: 4096, scalar, tuning: new Map() },
  );
  return [...new Set(dispatches.map(({ program }) => program.key))];
}

const SAMPLE = (wg: number) => [
  'seen-mark/wg64',
  'logits-penalty/wg64',
  `sample-blocks/wg${wg}`,
  `sample-rank/c64/wg${wg}`,
  `sample-pick/c64/wg${wg}`,
];

const QWEN = 'Qwen3-30B-A3B';

test('hardware, one token: the widest forms, with subgroups', () => {
  expect(defaults({ adapterClass: 'hardware', model: QWEN, tokens: 1 })).toEqual([
    'embedding/f32/q4_0/wg64',
    'rms-norm/f32/sg256',
    'linear/f32/q4_0/1x4/sg32',
    'rope-kv/f32/head/sg64',
    'attention/f32/whole/r8/d256',
    'attention/f32/split/r8/d256',
    'attention-combine/f32/wg32',
    'add-rms-norm/f32/sg256',
    'linear/f32/f32/1x4/sg32',
    'gate/softmax/all/sum/group128/1024',
    'expert-gate-up/f32/q4_0/pools1/subgroup32',
    'expert-down/f32/q4_0/pools1/subgroup32',
    'take-row/f32/wg64',
    ...SAMPLE(64),
  ]);
});

test('hardware, a prompt', () => {
  expect(defaults({ adapterClass: 'hardware', model: QWEN, tokens: 256 })).toEqual([
    'embedding/f32/q4_0/wg64',
    'rms-norm/f32/sg256',
    'linear-tiled/f32/q4_0/32x32/wg64',
    'rope-kv/f32/head/sg64',
    'attention-tiled/f32/d128',
    'add-rms-norm/f32/sg256',
    'linear-tiled/f32/f32/32x32/wg64',
    'gate/softmax/all/sum/group128/1024',
    'sparse-dispatch/wg128/256/1024',
    'expert-gate-up-tiled/f32/q4_0/pools1/staged32x32',
    'expert-down-tiled/f32/q4_0/pools1/staged32x32',
    'expert-combine/f32/sorted/wg64',
    'take-row/f32/wg64',
    'linear/f32/q4_0/1x4/sg32',
    ...SAMPLE(64),
  ]);
});

test('hardware, one-neuron experts', () => {
  const keys = defaults({ adapterClass: 'hardware', model: 'Doge-180M-MoE', tokens: 1 });
  expect(keys).toEqual(
    expect.arrayContaining([
      'product-halves/runs256',
      'product-route/softmax/count64',
      'atomic-scores/f32/q4_0/pools1/subgroup32',
      'atomic-combine/f32/q4_0/pools1/slices',
    ]),
  );
});

test('hardware, heads without groups (OLMoE)', () => {
  const keys = defaults({ adapterClass: 'hardware', model: 'OLMoE-1B-7B', tokens: 1 });
  expect(keys).toContain('attention/f32/split/r1/d256');
});

test('hardware without subgroups', () => {
  const keys = defaults({ adapterClass: 'hardware', model: QWEN, tokens: 1, features: [] });
  expect(keys).toEqual(
    expect.arrayContaining(['rms-norm/f32/wg256', 'linear/f32/q4_0/1x4/wg32', 'rope-kv/f32/head/wg64']),
  );
});

test('software, one token: lanes alone, or the four of a subgroup', () => {
  expect(defaults({ adapterClass: 'software', model: QWEN, tokens: 1 })).toEqual([
    'embedding/f32/q4_0/wg64',
    'rms-norm/f32/sg4',
    'linear/f32/q4_0/1x32/lane4',
    'rope-kv/f32/head/sg4',
    'attention-scores/f32/wg8',
    'attention-values/f32/wg8',
    'add-rms-norm/f32/sg4',
    'linear/f32/f32/1x32/lane4',
    'gate/softmax/all/sum/lane4/1024',
    'expert-gate-up/f32/q4_0/pools1/lane4',
    'expert-down/f32/q4_0/pools1/lane4',
    'take-row/f32/wg64',
    ...SAMPLE(8),
  ]);
});

test('software, a prompt', () => {
  expect(defaults({ adapterClass: 'software', model: QWEN, tokens: 256 })).toEqual([
    'embedding/f32/q4_0/wg64',
    'rms-norm/f32/sg4',
    'linear-tiled/f32/q4_0/8x32/lane4',
    'rope-kv/f32/head/sg4',
    'attention-tiled/f32/d128',
    'add-rms-norm/f32/sg4',
    'linear-tiled/f32/f32/8x32/lane4',
    'gate/softmax/all/sum/lane4/1024',
    'sparse-dispatch/wg4/128/256',
    'expert-gate-up-tiled/f32/q4_0/pools1/lane8x32',
    'expert-down-tiled/f32/q4_0/pools1/lane8x32',
    'expert-combine/f32/sorted/wg64',
    'take-row/f32/wg64',
    'linear/f32/q4_0/1x32/lane4',
    ...SAMPLE(8),
  ]);
});

test('software, one-neuron experts', () => {
  const keys = defaults({ adapterClass: 'software', model: 'Doge-180M-MoE', tokens: 1 });
  expect(keys).toEqual(
    expect.arrayContaining([
      'product-halves/quad4',
      'product-route/softmax/quad4',
      'atomic-scores/f32/q4_0/pools1/quad4',
      'atomic-combine/f32/q4_0/pools1/quad',
    ]),
  );
});
