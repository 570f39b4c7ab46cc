/** What `verify` found, and how it is reported. */
import { table } from './words.ts';

/** One thing compared with its known answer. */
export interface Check {
  readonly name: string; // `logits`, `router ids`
  readonly mode: string; // `in one go`, `token by token`
  readonly error: number; // the largest one, or a count
  readonly tolerance: number;
  readonly unit: 'absolute' | 'relative' | 'wrong';
  readonly of: number; // how many values were compared
}

/** NaN fails. */
export function isGood({ error, tolerance }: Check): boolean {
  return error <= tolerance;
}

/** The largest |got - want|, or NaN where any is. */
export function largestError(got: ArrayLike<number>, want: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < want.length; i += 1) {
    const error = Math.abs((got[i] ?? Number.NaN) - (want[i] ?? Number.NaN));
    if (Number.isNaN(error)) return error;
    if (error > largest) largest = error;
  }
  return largest;
}

/** The size that errors of an output are relative to: the root of its mean square. */
export function rootMeanSquare(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i += 1) sum += (values[i] ?? 0) ** 2;
  return Math.sqrt(sum / Math.max(1, values.length));
}

/** The checks as a table. */
export function report(checks: readonly Check[]): string {
  const rows = checks.map((check) => [
    check.name,
    check.mode,
    check.unit === 'wrong' ? `${check.error} of ${check.of} wrong` : describe(check),
    check.unit === 'wrong' ? `${check.tolerance}` : `${check.tolerance.toExponential(0)}`,
    isGood(check) ? 'ok' : 'FAILED',
  ]);
  return table([['what', 'how', 'largest error', 'allowed', ''], ...rows], ['left', 'left', 'left', 'right']);
}

function describe({ error, unit }: Check): string {
  return `${error.toExponential(2)} ${unit}`;
}
