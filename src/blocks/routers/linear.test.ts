import { expect, test } from 'vitest';
import type { RouterSpec, TransformSpec, WeighSpec } from '../../models/spec.ts';
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
