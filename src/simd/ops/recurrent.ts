/** Ops of recurrent mixers. What they have of each head and token is computed here: there is little of it. */
import type { DeltaScanIo, StateScanIo } from '../../graph/ops/recurrent.ts';
import { nextOf } from '../../graph/tensor.ts';
import { sigmoid, softplus } from '../../kernels/recurrent/functions.reference.ts';
import { kernelNamed, work, type SimdRun } from '../run.ts';

/** Columns of a head's state that kernels compute together. */
const COLS_TOGETHER = 16;

/** Fills f32 [tokens, heads, 2] with two numbers of each head of each token. */
function setPairs(
  pairs: Float32Array,
  heads: number,
  pair: (token: number, head: number) => readonly [number, number],
): void {
  for (let row = 0; 2 * row < pairs.length; row += 1)
    pairs.set(pair(Math.floor(row / heads), row % heads), 2 * row);
}

/** The scan of a gated delta net; split by heads. */
export function deltaScan(run: SimdRun, io: DeltaScanIo): void | Promise<void> {
  const { gates, mixed, rates, state, y, keyHeads, keyDim, heads, dims, tiled } = io;
  if (dims % COLS_TOGETHER !== 0) return run.byReference(); // heads have 64 or 128
  const { main, step } = run;
  const { tokens } = step;
  const factors = run.scratch(main, 8 * tokens * heads); // first: it may move the memory
  const projected = run.floats(gates.tensor);
  const rate = main.floats(run.exactAt(rates), 2 * heads);
  setPairs(main.floats(factors, 2 * tokens * heads), heads, (token, head) => {
    const at = token * gates.tensor.perToken + gates.first + head;
    const dt = softplus((projected[at + heads] ?? NaN) + (rate[heads + head] ?? NaN));
    return [sigmoid(projected[at] ?? NaN), Math.exp(-Math.exp(rate[head] ?? NaN) * dt)];
  });
  const shape = { count: heads, unit: 1, multiplyAdds: 3 * tokens * keyDim * dims, scratchBytes: 0 };
  const at = [factors, run.at(mixed), run.at(state), run.at(nextOf(state)), run.at(y)] as const;
  const sizes = [tokens, keyHeads, keyDim, heads, dims, Number(tiled)] as const;
  return run.split(work(kernelNamed(main, 'delta_scan'), shape, ...at, ...sizes));
}

/** The scan of Mamba-2; split by heads. */
export function stateScan(run: SimdRun, io: StateScanIo): void | Promise<void> {
  const { dt: column, mixed, rates, state, y, heads, dims, groups, states, bounds } = io;
  if (dims % COLS_TOGETHER !== 0) return run.byReference();
  const { main, step } = run;
  const { tokens } = step;
  const factors = run.scratch(main, 8 * tokens * heads);
  const projected = run.floats(column.tensor);
  const ratesAt = run.exactAt(rates);
  const rate = main.floats(ratesAt, 3 * heads);
  const [lowest, highest] = bounds;
  setPairs(main.floats(factors, 2 * tokens * heads), heads, (token, head) => {
    const raw = projected[token * column.tensor.perToken + column.first + head] ?? NaN;
    const dt = Math.min(Math.max(softplus(raw + (rate[2 * heads + head] ?? NaN)), lowest), highest);
    return [dt, Math.exp(-dt * Math.exp(rate[head] ?? NaN))];
  });
  const shape = { count: heads, unit: 1, multiplyAdds: 2 * tokens * states * dims, scratchBytes: 0 };
  const given = [factors, run.at(mixed), ratesAt + 4 * heads] as const;
  const at = [...given, run.at(state), run.at(nextOf(state)), run.at(y)] as const;
  return run.split(work(kernelNamed(main, 'state_scan'), shape, ...at, tokens, heads, dims, groups, states));
}
