/** The steps of the transform, on a row of values; masked ones are -Infinity and stay so. */
import type { Deviation, RouteStep, SteerStep } from './route-rule.ts';
import { vectorAt, type RouteToken } from './route-token.reference.ts';

type Given = Pick<RouteToken, 'token' | 'experts' | 'inputs' | 'rule'>;

/** The functions of single values. */
const FUNCTIONS = {
  sigmoid: (value: number) => 1 / (1 + Math.exp(-value)),
  relu: (value: number) => Math.max(value, 0),
  tanh: Math.tanh,
  abs: Math.abs,
  exp: (value: number) => Math.exp(Math.min(value, 80)), // larger powers are not finite in single precision
  sqrtSoftplus: (value: number) => Math.sqrt(Math.max(value, 0) + Math.log1p(Math.exp(-Math.abs(value)))),
} as const;

/** Runs a step in place. */
export function runStep(values: Float64Array, step: RouteStep, given: Given): void {
  const at = (row: number, e: number) => vectorAt(given, row, e, values.length);
  switch (step.kind) {
    case 'softmax':
      return softmax(values, step.within ?? 1);
    case 'logSoftmax':
      return logSoftmax(values);
    case 'scale': {
      const { by } = step;
      return change(values, (value, e) => value * (typeof by === 'number' ? by : at(by.vector, e)));
    }
    case 'add':
      return change(values, (value, e) => value + at(step.by.vector, e));
    case 'mask': {
      const { by } = step;
      return change(values, (value, e) =>
        (by === 'token' ? tokenMask(given, e) : at(by.vector, e)) === 0 ? -Infinity : value,
      );
    }
    case 'standardise': {
      const deviation = deviationOf(values, step.deviation);
      return deviation === 0 ? undefined : change(values, (value) => value / deviation);
    }
    case 'steer':
      return steer(values, step, at);
    default:
      return change(values, FUNCTIONS[step.kind]);
  }
}

/** Changes the entries that are not masked. */
function change(values: Float64Array, by: (value: number, e: number) => number): void {
  values.forEach((value, e) => (values[e] = value === -Infinity ? value : by(value, e)));
}

function softmax(values: Float64Array, groups: number): void {
  const size = values.length / groups;
  for (let start = 0; start < values.length; start += size) {
    const group = values.subarray(start, start + size);
    const largest = Math.max(...group);
    const sum = powers(group, largest);
    change(group, (value) => Math.exp(value - largest) / sum);
  }
}

function logSoftmax(values: Float64Array): void {
  const largest = Math.max(...values);
  const sum = powers(values, largest);
  change(values, (value) => value - largest - Math.log(sum));
}

/** The sum of exp(v - largest); 0 if all are masked. */
function powers(values: Float64Array, largest: number): number {
  return values.reduce((sum, value) => sum + (value === -Infinity ? 0 : Math.exp(value - largest)), 0);
}

/** Null experts have no mask. */
function tokenMask({ token, experts, inputs }: Given, e: number): number {
  return e < experts ? inputs.token_mask![token * experts + e]! : 1;
}

/** The deviation of the entries that are not masked; 0 if there are fewer than two. */
function deviationOf(values: Float64Array, kind: Deviation): number {
  const live = values.filter((value) => value !== -Infinity);
  const mean = live.reduce((sum, value) => sum + value, 0) / Math.max(live.length, 1);
  const squares = live.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return Math.sqrt(squares / Math.max(live.length - (kind === 'sample' ? 1 : 0), 1));
}

function steer(values: Float64Array, step: SteerStep, at: (row: number, e: number) => number): void {
  const { vector } = step.by;
  if (step.mode === 'soft') {
    const deviation = deviationOf(values, step.deviation);
    return change(values, (value, e) => value + at(vector, e) * deviation);
  }
  const largest = Math.max(...values);
  values.forEach((value, e) => (values[e] = at(vector, e) === 0 ? value : largest + step.epsilon));
}
