import { describe, expect, test } from 'vitest';
import {
  latentKeysReference,
  latentQueryReference,
  latentValuesReference,
} from '../kernels/attention/latent.reference.ts';
import { randomNormal } from '../kernels/testing.ts';
import { Bench, BUILDS, error } from './testing.ts';

const CLOSE = 1e-5;

/** Angles of positions: cosines and sines by turns. */
const anglesOf = (positions: number, rotary: number) =>
  Float32Array.from(
    [...randomNormal((positions * rotary) / 2, 9)].flatMap((turn) => [Math.cos(turn), Math.sin(turn)]),
  );

const shapes = [
  { tokens: 1, past: 0, heads: 1, rank: 4, nope: 4, rotary: 4, dims: 4, style: 'half' },
  { tokens: 1, past: 7, heads: 3, rank: 36, nope: 12, rotary: 8, dims: 5, style: 'pair' },
  { tokens: 5, past: 2, heads: 4, rank: 64, nope: 20, rotary: 12, dims: 33, style: 'half' },
  { tokens: 3, past: 0, heads: 2, rank: 12, nope: 24, rotary: 20, dims: 2, style: 'pair' },
] as const;

describe.each(BUILDS)('%s', (build) => {
  test.each(shapes)('latent_query %o', (shape) => {
    const { tokens, past, heads, rank, nope, rotary, style } = shape;
    const bench = new Bench(build);
    const q = randomNormal(tokens * heads * (nope + rotary), 1);
    const weight = randomNormal(heads * rank * nope, 2, 1 / Math.sqrt(nope));
    const angles = anglesOf(past + tokens, rotary);
    const inputs = [bench.put(q), bench.put(weight), bench.put(angles)] as const;
    const run = (...cuts: readonly number[]) => {
      const y = bench.room(tokens * heads * (rank + rotary));
      const sizes = [tokens, past, heads, nope, rank, rotary, Number(style === 'pair')] as const;
      for (const [i, first] of cuts.slice(0, -1).entries())
        bench.kernels.latent_query(...inputs, y, ...sizes, first, cuts[i + 1]!);
      return bench.floats(y);
    };
    const whole = run(0, heads);
    expect(error(whole, latentQueryReference(q, weight, angles, shape))).toBeLessThan(CLOSE);
    expect(run(0, Math.ceil(heads / 3), heads)).toEqual(whole);
  });

  test.each(shapes)('latent_keys %o', (shape) => {
    const { tokens, past, rank, rotary, style } = shape;
    const [bench, eps, size] = [new Bench(build), 1e-3, rank + rotary];
    const [x, gain] = [randomNormal(tokens * size, 1), randomNormal(rank, 2)];
    const angles = anglesOf(past + tokens, rotary);
    const cache = bench.room((past + tokens) * size);
    const before = bench.floats(cache).slice(0, past * size);
    const inputs = [bench.put(x), bench.put(gain), bench.put(angles), cache] as const;
    const sizes = [tokens, past, rank, rotary, Number(style === 'pair'), eps] as const;
    bench.kernels.latent_keys(...inputs, ...sizes, 0, 1);
    bench.kernels.latent_keys(...inputs, ...sizes, 1, tokens);
    const wanted = latentKeysReference(x, gain, angles, { ...shape, eps });
    expect(error(bench.floats(cache).slice(past * size), wanted)).toBeLessThan(CLOSE);
    expect(bench.floats(cache).slice(0, past * size)).toEqual(before);
  });

  test.each(shapes)('latent_values %o', (shape) => {
    const { tokens, heads, dims, rank, rotary } = shape;
    const bench = new Bench(build);
    const o = randomNormal(tokens * heads * (rank + rotary), 1);
    const weight = randomNormal(heads * dims * rank, 2, 1 / Math.sqrt(rank));
    const inputs = [bench.put(o), bench.put(weight)] as const;
    const run = (...cuts: readonly number[]) => {
      const y = bench.room(tokens * heads * dims);
      for (const [i, first] of cuts.slice(0, -1).entries())
        bench.kernels.latent_values(...inputs, y, tokens, heads, dims, rank, rotary, first, cuts[i + 1]!);
      return bench.floats(y);
    };
    const whole = run(0, heads);
    expect(error(whole, latentValuesReference(o, weight, shape))).toBeLessThan(CLOSE);
    expect(run(0, Math.ceil(heads / 3), heads)).toEqual(whole);
  });
});
