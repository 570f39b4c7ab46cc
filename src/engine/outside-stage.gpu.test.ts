/** Stages of a router's rule defined from outside, one of each role: this file is all that they need. */
import { afterAll, describe, expect, test } from 'vitest';
import { Gpu } from '../gpu/device.ts';
import { plainStep } from '../graph/node.ts';
import { expectOp, type OpCase } from '../graph/op.testing.ts';
import { gateNode, type GateIo } from '../graph/ops/gate.ts';
import { gateReference } from '../kernels/routing/gate.reference.ts';
import { gate, gateVariants } from '../kernels/routing/gate.ts';
import type { RouterRule } from '../kernels/routing/rule.ts';
import { registerStage, stageOf } from '../kernels/routing/stages/index.ts';
import {
  MASKED,
  type ScoreStage,
  type SelectStage,
  type WeighStage,
} from '../kernels/routing/stages/stage.ts';
import { testGpu } from '../kernels/testing.ts';

/** a = sqrt(log(1 + exp(logit))) */
const rootOfSoftplus: ScoreStage = {
  name: 'toy-sqrt-softplus',
  role: 'score',
  over: 'logit',
  wgsl: 'fn score(logit: f32) -> f32 { return sqrt(max(logit, 0.0) + log(1.0 + exp(-abs(logit)))); }',
  reference: (row) => row.forEach((logit, e) => (row[e] = Math.sqrt(Math.log1p(Math.exp(logit))))),
};

/** a = logit / root mean square of the row's logits */
const rowNorm: ScoreStage = {
  name: 'toy-row-norm',
  role: 'score',
  over: 'row',
  wgsl: `
const SUMS_ROW = false;
fn row_shift(base: u32) -> f32 {
  var sum = 0.0;
  for (var e = 0u; e < params.experts; e += 1u) {
    sum += logits[base + e] * logits[base + e];
  }
  return sqrt(sum / f32(params.experts));
}
fn raw_score(logit: f32, shift: f32) -> f32 { return logit / shift; }
fn share(raw: f32, sum: f32) -> f32 { return raw; }`,
  reference(row) {
    let sum = 0;
    for (const logit of row) sum += logit * logit;
    row.forEach((logit, e) => (row[e] = logit / Math.sqrt(sum / row.length)));
  },
};

/** Experts above a bound only, so that some tokens have fewer than topK. */
const aboveOne: SelectStage = {
  name: 'toy-above-one',
  role: 'select',
  over: 'expert',
  wgsl: 'fn may_choose(e: u32, value: f32) -> bool { return value > 1.0; }',
  reference: (row) => row.forEach((value, e) => (row[e] = value > 1 ? value : MASKED)),
};

/** w = scale * value^2 / sum of value^2 */
const squares: WeighStage = {
  name: 'toy-squares',
  role: 'weigh',
  from: 'affinity',
  wgsl: `
const NORMALISES = true;
fn raw_weight(value: f32, largest: f32) -> f32 { return value * value; }
fn weight(raw: f32, sum: f32) -> f32 { return params.scale * raw / sum; }`,
  reference(row, { scale }) {
    let sum = 0;
    for (const value of row) sum += value * value;
    row.forEach((value, r) => (row[r] = (scale * value * value) / sum));
  },
};

for (const stage of [rootOfSoftplus, rowNorm, aboveOne, squares]) registerStage(stage);

const software = await testGpu();
const hardware = await Gpu.open({ features: ['subgroups'], adapterClass: 'hardware' });
afterAll(() => hardware.dispose());

const plain = { score: 'identity', renorm: 'none', eps: 0, scale: 1.5, groups: null } as const;
const RULES: readonly (readonly [string, RouterRule])[] = [
  ['a score', { ...plain, score: 'toy-sqrt-softplus', renorm: 'sum' }],
  ['a score of rows', { ...plain, score: 'toy-row-norm', renorm: 'softmax' }],
  ['a selection', { ...plain, score: 'toy-sqrt-softplus', select: 'toy-above-one' }],
  ['a weighting', { ...plain, score: 'softmax', renorm: 'toy-squares' }],
  [
    'a score and a weighting within groups',
    {
      ...plain,
      score: 'toy-sqrt-softplus',
      renorm: 'toy-squares',
      groups: { count: 8, keep: 3, score: 'two-best' },
    },
  ],
];
const EXPERTS = 40;

const gateCase = (rule: RouterRule): OpCase<GateIo> => ({
  make: gateNode,
  io: (builder) => ({
    logits: builder.tensor('logits', { type: 'f32', role: 'input', perToken: EXPERTS }),
    bias: builder.exact('bias', EXPERTS, 1),
    ids: builder.tensor('ids', { type: 'u32', role: 'output', perToken: 6 }),
    weights: builder.tensor('weights', { type: 'f32', role: 'output', perToken: 6 }),
    experts: EXPERTS,
    topK: 6,
    rule,
  }),
  steps: [plainStep(1, 0), plainStep(33, 1)],
});

describe.each([
  ['software', software],
  ['hardware', hardware],
])('as %s', (_as, gpu) => {
  test.each(RULES)('%s', (_name, rule) => expectOp(gpu, gateCase(rule)));
});

test('the reference of a rule is made of its stages', () => {
  const rule = { ...plain, score: 'toy-sqrt-softplus', renorm: 'toy-squares', scale: 1 };
  const { ids, weights } = gateReference(new Float32Array([0, Math.log(3), -50]), new Float32Array(3), {
    tokens: 1,
    experts: 3,
    topK: 2,
    rule,
  });
  // squares are log 4 and log 2, which is half of it
  expect([...ids]).toEqual([1, 0]);
  expect([...weights].map((weight) => weight.toFixed(6))).toEqual(['0.666667', '0.333333']);
});

test('keys tell the stages', () => {
  const rule = { ...plain, score: 'toy-sqrt-softplus', renorm: 'toy-squares' };
  expect(gateVariants(rule, 8).map((variant) => gate.key(variant))).toEqual([
    'gate/toy-sqrt-softplus/all/toy-squares/lane4/1024',
    'gate/toy-sqrt-softplus/all/toy-squares/group32/128',
    'gate/toy-sqrt-softplus/all/toy-squares/group128/1024',
  ]);
});

test('a name is taken once in its role, and a missing one is answered with those that exist', () => {
  registerStage(squares);
  expect(() => registerStage({ ...squares })).toThrow('a weigh stage "toy-squares" exists already');
  expect(() => registerStage({ ...squares, name: 'softmax' })).toThrow('"softmax" exists already');
  expect(() => stageOf('select', 'sum')).toThrow(
    'no select stage "sum"; wanted all, max, two-best, toy-above-one',
  );
});
