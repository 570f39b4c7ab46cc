import { expect, test } from 'vitest';
import type { RouterSpec, TransformSpec, WeighSpec } from '../../models/spec.ts';
import { registerStage } from '../../kernels/routing/stages/index.ts';
import { linear } from './linear.ts';

function check(transform: readonly TransformSpec[], weigh: WeighSpec): void {
  const spec: RouterSpec = { score: { kind: 'linear' }, transform, select: { kind: 'topK', k: 2 }, weigh };
  linear.check?.(spec as never, 'model', 8);
}

test.each<[TransformSpec['kind'][], WeighSpec]>([
  [['softmax'], { normalise: 'sum' }],
  [['sigmoid'], { normalise: 'sum', epsilon: 1e-20, scale: 2.5 }],
  [[], { normalise: 'softmax' }],
  [[], {}],
])('%j and %j are rules that the gate knows', (kinds, weigh) => {
  expect(() =>
    check(
      kinds.map((kind) => ({ kind })),
      weigh,
    ),
  ).not.toThrow();
});

test.each<[TransformSpec['kind'][], WeighSpec]>([
  [['softmax', 'sigmoid'], {}],
  [['softmax'], { normalise: 'softmax' }],
  [['softmax'], { from: 'exp' }],
])('%j and %j are refused', (kinds, weigh) => {
  const run = () =>
    check(
      kinds.map((kind) => ({ kind })),
      weigh,
    );
  expect(run).toThrow(/^model: the linear router does not combine .*; write a router for it$/);
});

const groupedBy = (by: string): RouterSpec => ({
  score: { kind: 'linear' },
  select: { kind: 'topK', k: 2, groups: { count: 4, keep: 2, by } },
});

test('a spec may name stages from outside, once they are registered', () => {
  const wgsl = 'fn score(logit: f32) -> f32 { return logit * logit; }';
  const reference = (row: Float64Array) => row.forEach((logit, e) => (row[e] = logit * logit));
  expect(() => check([{ kind: 'toy-square' }], {})).toThrow(
    /^no score stage "toy-square"; wanted softmax, sigmoid,/,
  );
  registerStage({ name: 'toy-square', role: 'score', over: 'logit', wgsl, reference });
  expect(() => check([{ kind: 'toy-square' }], { normalise: 'sum' })).not.toThrow();
  expect(() => check([], { normalise: 'toy-square' })).toThrow(
    'no weigh stage "toy-square"; wanted none, sum',
  );
});

test.each([
  undefined,
  {},
  { name: 'toy', role: 'scores', over: 'logit', wgsl: '', reference() {} },
  { name: '', role: 'score', over: 'logit', wgsl: '', reference() {} },
  { name: 'toy', role: 'score', over: 'logit', wgsl: '' },
])('invalid stages are rejected: %o', (stage) => {
  expect(() => registerStage(stage as never)).toThrow(
    /^a stage has to be an object with role \(score, select, weigh\), name, wgsl and reference\(\)/,
  );
});

test('groups need a selection over groups', () => {
  for (const by of ['max', 'sumOfTopTwo']) {
    expect(() => linear.check?.(groupedBy(by) as never, 'model', 8)).not.toThrow();
  }
  expect(() => linear.check?.(groupedBy('all') as never, 'model', 8)).toThrow(
    'the selection "all" is over expert, in a rule with groups; wanted one over groups',
  );
  expect(() => linear.check?.(groupedBy('best') as never, 'model', 8)).toThrow(
    'no select stage "best"; wanted all,',
  );
});
