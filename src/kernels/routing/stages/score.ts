import identity from '../../../../shaders/lib/score-identity.wgsl?raw';
import sigmoid from '../../../../shaders/lib/score-sigmoid.wgsl?raw';
import softmaxSource from '../../../../shaders/lib/score-softmax.wgsl?raw';
import type { ScoreStage } from './stage.ts';

/** The built-in scores, which map router logits to affinities. */
export const SCORES = {
  softmax: { name: 'softmax', role: 'score', over: 'row', wgsl: softmaxSource, reference: softmax },
  sigmoid: {
    name: 'sigmoid',
    role: 'score',
    over: 'logit',
    wgsl: sigmoid,
    reference: (row) => row.forEach((logit, e) => (row[e] = 1 / (1 + Math.exp(-logit)))),
  },
  identity: { name: 'identity', role: 'score', over: 'logit', wgsl: identity, reference: () => {} },
} as const satisfies Readonly<Record<string, ScoreStage>>;

/** Replaces values by their softmax: exp(x - max) / sum. */
export function softmax(row: Float64Array): void {
  let shift = -Infinity;
  for (const value of row) shift = Math.max(shift, value);
  let sum = 0;
  for (const value of row) sum += Math.exp(value - shift);
  row.forEach((value, i) => (row[i] = Math.exp(value - shift) / sum));
}
