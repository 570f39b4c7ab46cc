import { describe, expect, test } from 'vitest';
import { deltaScanReference } from '../kernels/recurrent/delta-scan.reference.ts';
import { sigmoid, softplus } from '../kernels/recurrent/functions.reference.ts';
import { stateScanReference } from '../kernels/recurrent/state-scan.reference.ts';
import { randomNormal } from '../kernels/testing.ts';
import { Bench, BUILDS, error } from './testing.ts';

const CLOSE = 1e-5;

/** Of [tokens, heads], two numbers each. */
const pairsOf = (tokens: number, heads: number, pair: (token: number, head: number) => [number, number]) =>
  Float32Array.from(
    Array.from({ length: tokens * heads }, (_, row) => pair(Math.floor(row / heads), row % heads)).flat(),
  );

describe.each(BUILDS)('%s', (build) => {
  test.each([
    { tokens: 1, keyHeads: 1, keyDim: 4, heads: 1, dims: 16, stride: 2, first: 0, tiled: false },
    { tokens: 1, keyHeads: 2, keyDim: 16, heads: 4, dims: 32, stride: 9, first: 1, tiled: true },
    { tokens: 5, keyHeads: 2, keyDim: 7, heads: 6, dims: 48, stride: 20, first: 5, tiled: false },
    { tokens: 4, keyHeads: 3, keyDim: 33, heads: 6, dims: 16, stride: 12, first: 0, tiled: true },
    { tokens: 9, keyHeads: 1, keyDim: 128, heads: 2, dims: 128, stride: 4, first: 0, tiled: false },
  ])('delta_scan %o', (options) => {
    const { tokens, keyHeads, keyDim, heads, dims, stride, first, tiled } = options;
    const bench = new Bench(build);
    const cols = heads * dims;
    const projected = randomNormal(tokens * stride, 1);
    const mixed = randomNormal(tokens * (2 * keyHeads * keyDim + cols), 2);
    const rates = randomNormal(2 * heads, 3);
    const before = randomNormal(keyDim * cols, 4);
    const factors = pairsOf(tokens, heads, (t, h) => {
      const at = t * stride + first + h;
      const dt = softplus(projected[at + heads]! + rates[heads + h]!);
      return [sigmoid(projected[at]!), Math.exp(-Math.exp(rates[h]!) * dt)];
    });
    const inputs = [bench.put(factors), bench.put(mixed), bench.put(before)] as const;
    const run = (...cuts: readonly number[]) => {
      const [after, y] = [bench.room(keyDim * cols), bench.room(tokens * cols)];
      const sizes = [tokens, keyHeads, keyDim, heads, dims, Number(tiled)] as const;
      for (const [i, from] of cuts.slice(0, -1).entries())
        bench.kernels.delta_scan(...inputs, after, y, ...sizes, from, cuts[i + 1]!);
      return { y: bench.floats(y), after: bench.floats(after) };
    };
    const whole = run(0, heads);
    const wanted = deltaScanReference({ projected, mixed, rates, before }, options);
    expect(error(whole.y, wanted.y)).toBeLessThan(CLOSE);
    expect(error(whole.after, wanted.after)).toBeLessThan(CLOSE);
    expect(run(0, Math.ceil(heads / 3), heads)).toEqual(whole);
  });

  test.each([
    { tokens: 1, heads: 1, dims: 16, groups: 1, states: 1, stride: 1, first: 0, lowest: 0, highest: 100 },
    { tokens: 5, heads: 6, dims: 48, groups: 2, states: 5, stride: 9, first: 2, lowest: 0.5, highest: 1 },
    { tokens: 9, heads: 4, dims: 64, groups: 4, states: 128, stride: 4, first: 0, lowest: 0, highest: 9 },
  ])('state_scan %o', (options) => {
    const { tokens, heads, dims, groups, states, stride, first, lowest, highest } = options;
    const bench = new Bench(build);
    const cols = heads * dims;
    const projected = randomNormal(tokens * stride, 1);
    const mixed = randomNormal(tokens * (cols + 2 * groups * states), 2);
    const rates = randomNormal(3 * heads, 3);
    const before = randomNormal(states * cols, 4);
    const factors = pairsOf(tokens, heads, (t, h) => {
      const raw = projected[t * stride + first + h]! + rates[2 * heads + h]!;
      const dt = Math.min(Math.max(softplus(raw), lowest), highest);
      return [dt, Math.exp(-dt * Math.exp(rates[h]!))];
    });
    const skips = rates.slice(heads, 2 * heads);
    const inputs = [bench.put(factors), bench.put(mixed), bench.put(skips), bench.put(before)] as const;
    const run = (...cuts: readonly number[]) => {
      const [after, y] = [bench.room(states * cols), bench.room(tokens * cols)];
      for (const [i, from] of cuts.slice(0, -1).entries())
        bench.kernels.state_scan(
          ...inputs,
          after,
          y,
          tokens,
          heads,
          dims,
          groups,
          states,
          from,
          cuts[i + 1]!,
        );
      return { y: bench.floats(y), after: bench.floats(after) };
    };
    const whole = run(0, heads);
    const wanted = stateScanReference({ projected, mixed, rates, before }, options);
    expect(error(whole.y, wanted.y)).toBeLessThan(CLOSE);
    expect(error(whole.after, wanted.after)).toBeLessThan(CLOSE);
    expect(run(0, Math.ceil(heads / 3), heads)).toEqual(whole);
  });
});
