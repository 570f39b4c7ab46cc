import { describe, expect, test } from 'vitest';
import { addSharedReference } from '../kernels/core/add-shared.reference.ts';
import { scaleRowsReference } from '../kernels/core/scale-rows.reference.ts';
import { softCapReference } from '../kernels/core/soft-cap.reference.ts';
import { gluActivationReference } from '../kernels/core/glu-activation.reference.ts';
import { expertCombineReference } from '../kernels/experts/expert-glu.reference.ts';
import { addNormedReference } from '../kernels/norm/add-normed.reference.ts';
import { addRmsNormReference } from '../kernels/norm/add-rms-norm.reference.ts';
import { layerNormReference } from '../kernels/norm/layer-norm.reference.ts';
import { rmsNormReference } from '../kernels/norm/rms-norm.reference.ts';
import { randomNormal } from '../kernels/testing.ts';
import { Bench, BUILDS, error } from './testing.ts';

const CLOSE = 2e-6;
const COLS = [1, 6, 8, 64, 171];

describe.each(BUILDS)('%s', (build) => {
  test.each(COLS)('rms_norm, %i columns', (cols) => {
    const bench = new Bench(build);
    const [rows, eps] = [3, 1e-3];
    const [x, gain] = [randomNormal(rows * cols, 1), randomNormal(cols, 2)];
    const [xAt, gainAt, y] = [bench.put(x), bench.put(gain), bench.room(rows * cols)];
    bench.kernels.rms_norm(xAt, gainAt, y, rows, cols, eps, 0, 1);
    bench.kernels.rms_norm(xAt, gainAt, y, rows, cols, eps, 1, rows);
    expect(error(bench.floats(y), rmsNormReference(x, gain, { rows, cols, eps }))).toBeLessThan(CLOSE);
  });

  test.each(COLS)('add_rms_norm, %i columns', (cols) => {
    const bench = new Bench(build);
    const [rows, eps, scale] = [3, 1e-3, 0.7];
    const [x, branch, gain] = [
      randomNormal(rows * cols, 1),
      randomNormal(rows * cols, 2),
      randomNormal(cols, 3),
    ];
    const [sum, y] = [bench.room(rows * cols), bench.room(rows * cols)];
    const inputs = [
      bench.put(x),
      bench.put(branch),
      bench.put(gain),
      sum,
      y,
      rows,
      cols,
      eps,
      scale,
    ] as const;
    bench.kernels.add_rms_norm(...inputs, 0, 2);
    bench.kernels.add_rms_norm(...inputs, 2, rows);
    const wanted = addRmsNormReference(x, branch, gain, { rows, cols, eps, scale });
    expect(error(bench.floats(sum), wanted.sum)).toBeLessThan(CLOSE);
    expect(error(bench.floats(y), wanted.y)).toBeLessThan(CLOSE);
  });

  test.each(COLS)('add_normed, %i columns', (cols) => {
    const bench = new Bench(build);
    const [rows, eps, scale, factor] = [3, 1e-3, 0.7, 1.3];
    const [x, branch] = [randomNormal(rows * cols, 1), randomNormal(rows * cols, 2)];
    const gain = randomNormal(cols, 3);
    const y = bench.room(rows * cols);
    const places = [bench.put(x), bench.put(branch), bench.put(gain), y] as const;
    const inputs = [...places, rows, cols, eps, scale, factor] as const;
    bench.kernels.add_normed(...inputs, 0, 2);
    bench.kernels.add_normed(...inputs, 2, rows);
    const wanted = addNormedReference(x, branch, gain, { rows, cols, eps, scale, factor });
    expect(error(bench.floats(y), wanted)).toBeLessThan(CLOSE);
  });

  test.each(COLS)('scale_rows, %i columns', (cols) => {
    const bench = new Bench(build);
    const [x, factors] = [randomNormal(3 * cols, 1), randomNormal(3, 2)];
    const y = bench.room(3 * cols);
    bench.kernels.scale_rows(bench.put(x), bench.put(factors), y, 3, cols);
    expect(bench.floats(y)).toEqual(scaleRowsReference(x, factors, { cols, first: 0 }));
  });

  test.each([1, 6, 171])('soft_cap, %i elements', (count) => {
    const bench = new Bench(build);
    const x = randomNormal(count, 1, 3);
    x.set([0, 1e9, -1e9, 50, -50].slice(0, count));
    const y = bench.room(count);
    bench.kernels.soft_cap(bench.put(x), y, count, 5);
    expect(error(bench.floats(y), softCapReference(x, { cap: 5 }))).toBeLessThan(CLOSE);
  });

  test.each(COLS)('layer_norm, %i columns', (cols) => {
    const bench = new Bench(build);
    const [rows, eps] = [3, 1e-3];
    const [x, gain, shift] = [1, 2, 3].map((seed) => randomNormal(seed === 1 ? rows * cols : cols, seed));
    const y = bench.room(rows * cols);
    const inputs = [bench.put(x!), bench.put(gain!), bench.put(shift!), y, rows, cols, eps] as const;
    bench.kernels.layer_norm(...inputs, 0, 1);
    bench.kernels.layer_norm(...inputs, 1, rows);
    const wanted = layerNormReference(x!, gain!, shift!, { rows, cols, eps });
    expect(error(bench.floats(y), wanted)).toBeLessThan(CLOSE);
  });

  test.each([0, 1, 2, 3, 4])('glu_activation %i', (act) => {
    const [rows, width] = [3, 133];
    const bench = new Bench(build);
    const gateUp = randomNormal(rows * 2 * width, 1, 3);
    gateUp.set([0, -0, 1e-30, 80, -80, 300, -300, 20, -20]);
    gateUp.fill(1, width, width + 9); // their other halves
    const [at, y] = [bench.put(gateUp), bench.room(rows * width)];
    bench.kernels.glu_activation(at, y, rows, width, act, 0, 1);
    bench.kernels.glu_activation(at, y, rows, width, act, 1, rows);
    const [actual, wanted] = [bench.floats(y), gluActivationReference(gateUp, { rows, width, act })];
    expect(error(actual.slice(0, 9), wanted.slice(0, 9))).toBeLessThan(CLOSE);
    expect(error(actual.slice(width), wanted.slice(width))).toBeLessThan(CLOSE);
  });

  test.each([true, false])('add_shared, gated: %s', (isGated) => {
    const [tokens, cols, scale] = [3, 37, 0.3];
    const bench = new Bench(build);
    const [a, b] = [randomNormal(tokens * cols, 1), randomNormal(tokens * cols, 2)];
    const gate = isGated ? randomNormal(tokens, 3) : undefined;
    const y = bench.room(tokens * cols);
    const inputs = [bench.put(a), bench.put(b), gate ? bench.put(gate) : 0, y, tokens, cols, scale] as const;
    bench.kernels.add_shared(...inputs, 0, 2);
    bench.kernels.add_shared(...inputs, 2, tokens);
    const wanted = addSharedReference(a, b, gate, { tokens, cols, scale });
    expect(error(bench.floats(y), wanted)).toBeLessThan(CLOSE);
  });

  test('gather_rows', () => {
    const cols = 5;
    const bench = new Bench(build);
    const x = randomNormal(4 * cols, 1);
    const index = Uint32Array.of(3, 0, 0, 2);
    const y = bench.room(4 * cols);
    bench.kernels.gather_rows(bench.put(x), bench.put(index), y, 4, cols);
    const rows = [...index].map((row) => x.subarray(row * cols, (row + 1) * cols));
    expect(bench.floats(y)).toEqual(Float32Array.from(rows.flatMap((row) => [...row])));
  });

  test('combine, with pairs in any order and one without an expert', () => {
    const [tokens, topK, hidden] = [3, 3, 37];
    const bench = new Bench(build);
    const pairs = randomNormal(tokens * topK * hidden, 1);
    const weights = randomNormal(tokens * topK, 2);
    const place = Uint32Array.of(8, 7, 0, 1, 6, 2, 3, 0xffffffff, 4);
    const out = new Float32Array(9 * hidden).fill(NaN); // row 5 is of no pair
    for (const [pair, row] of place.entries()) {
      const own = pairs.subarray(pair * hidden, (pair + 1) * hidden);
      if (row === 0xffffffff) own.fill(0);
      else out.set(own, row * hidden);
    }
    const y = bench.room(tokens * hidden);
    const inputs = [bench.put(out), bench.put(place), bench.put(weights), y, tokens, topK, hidden] as const;
    bench.kernels.combine(...inputs, 0, 1);
    bench.kernels.combine(...inputs, 1, tokens);
    const wanted = expertCombineReference(pairs, weights, { tokens, topK, hidden });
    expect(error(bench.floats(y), wanted)).toBeLessThan(CLOSE);
  });
});
