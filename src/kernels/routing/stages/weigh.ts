import clampedSum from '../../../../shaders/lib/weigh-clamped-sum.wgsl?raw';
import exp from '../../../../shaders/lib/weigh-exp.wgsl?raw';
import none from '../../../../shaders/lib/weigh-none.wgsl?raw';
import softmaxSource from '../../../../shaders/lib/weigh-softmax.wgsl?raw';
import sigmoid from '../../../../shaders/lib/weigh-sigmoid.wgsl?raw';
import sparsemixer from '../../../../shaders/lib/weigh-sparsemixer.wgsl?raw';
import sum from '../../../../shaders/lib/weigh-sum.wgsl?raw';
import { softmax } from './score.ts';
import type { StageParams, WeighStage } from './stage.ts';

/**
 * The built-in weightings: affinities unchanged, divided by sum + eps, or by max(sum, eps); `softmax` or `sigmoid` of the logits; `exp` of
 * values that are logarithms; `sparsemixer`, the softmax among those left that are near. All are multiplied by `scale`.
 */
export const WEIGHTINGS = {
  none: {
    name: 'none',
    role: 'weigh',
    from: 'affinity',
    wgsl: none,
    reference: (row, { scale }) => divide(row, scale, 1),
  },
  sum: {
    name: 'sum',
    role: 'weigh',
    from: 'affinity',
    wgsl: sum,
    reference: (row, { scale, eps }) => divide(row, scale, sumOf(row) + eps),
  },
  softmax: {
    name: 'softmax',
    role: 'weigh',
    from: 'logits',
    wgsl: softmaxSource,
    reference(row, { scale }) {
      softmax(row);
      divide(row, scale, 1);
    },
  },
  'clamped-sum': {
    name: 'clamped-sum',
    role: 'weigh',
    from: 'affinity',
    wgsl: clampedSum,
    reference: (row, { scale, eps }) => divide(row, scale, Math.max(sumOf(row), eps)),
  },
  exp: {
    name: 'exp',
    role: 'weigh',
    from: 'affinity',
    wgsl: exp,
    reference: (row, { scale }) =>
      row.forEach((value, r) => (row[r] = scale * Math.exp(Math.min(value, LARGEST_POWER)))),
  },
  sigmoid: {
    name: 'sigmoid',
    role: 'weigh',
    from: 'logits',
    wgsl: sigmoid,
    reference: (row, { scale }) => row.forEach((value, r) => (row[r] = scale / (1 + Math.exp(-value)))),
  },
  sparsemixer: {
    name: 'sparsemixer',
    role: 'weigh',
    from: 'row',
    wgsl: sparsemixer,
    valueOf: shareAmongNear,
    reference: (row, { scale }) => divide(row, scale, 1),
  },
} as const satisfies Readonly<Record<string, WeighStage>>;

const LARGEST_POWER = 80; // values may be large; exp(80) is finite in f32

/** The softmax of an expert among those that are left when it is chosen and within eps * max(|logit|, its own) of it. */
function shareAmongNear(logits: Float64Array, expert: number, { eps }: StageParams): number {
  const own = logits[expert] ?? 0;
  let sum = 0;
  for (const [e, logit] of logits.entries()) {
    const isLeft = logit < own || (logit === own && e >= expert);
    if (isLeft && own - logit <= eps * Math.max(Math.abs(logit), own)) sum += Math.exp(logit - own);
  }
  return 1 / sum;
}

function sumOf(row: Float64Array): number {
  let total = 0;
  for (const value of row) total += value;
  return total;
}

function divide(row: Float64Array, scale: number, divisor: number): void {
  row.forEach((value, r) => (row[r] = divisor === 0 ? 0 : (value * scale) / divisor));
}
