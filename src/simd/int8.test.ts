import { describe, expect, test } from 'vitest';
import { activate } from '../kernels/core/activation.reference.ts';
import { linearReference } from '../kernels/linear/linear.reference.ts';
import { randomNormal } from '../kernels/testing.ts';
import { INT8 } from './kernels.ts';
import { Bench, BUILDS, error } from './testing.ts';

const CLOSE = 1e-5;
const BLOCK = 32;

/** The activations that int8 kernels see: 32 at a time as whole multiples of the largest one's 127th part. */
function quantized(x: Float32Array): Float32Array {
  const seen = new Float32Array(x.length);
  for (let first = 0; first < x.length; first += BLOCK) {
    const largest = Math.max(...x.subarray(first, first + BLOCK).map(Math.abs));
    const inverse = largest === 0 ? 0 : Math.fround(127 / largest);
    for (let i = first; i < first + BLOCK; i += 1) {
      seen[i] = roundToEven(Math.fround(x[i]! * inverse)) * Math.fround(largest / 127);
    }
  }
  return seen;
}

function roundToEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

test('rounds halves to even numbers', () => {
  expect([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.6, -2.6].map(roundToEven)).toEqual([-2, -2, -0, 0, 2, 2, 3, -3]);
});

const cases = BUILDS.flatMap((build) => (['q4_0', 'q8_0'] as const).map((format) => ({ build, format })));

describe.each(cases)('$build, $format', ({ build, format }) => {
  function inputsOf(rows: number, cols: number) {
    const x = randomNormal(rows * cols, 1);
    x.fill(0, 0, BLOCK); // a block without a scale
    return x;
  }

  test.each([1, 2])('linear, %i rows', (rows) => {
    for (const cols of [32, 96, 1024]) {
      for (const outs of [1, 3, 4, 9]) {
        const bench = new Bench(build);
        const x = inputsOf(rows, cols);
        const bias = randomNormal(outs, 3);
        const w = bench.matrix(format, randomNormal(outs * cols, 2, 1 / Math.sqrt(cols)), outs, cols);
        const inputs = [bench.put(x), w.w, w.s, bench.put(bias)] as const;
        const scratch = bench.scratch();
        const run = (...cuts: readonly number[]) => {
          const y = bench.room(rows * outs);
          for (const [i, first] of cuts.slice(0, -1).entries()) {
            bench.kernels.linear(
              w.format + INT8,
              ...inputs,
              y,
              rows,
              cols,
              outs,
              1.5,
              scratch,
              first,
              cuts[i + 1]!,
            );
          }
          return bench.floats(y);
        };
        const wanted = linearReference(quantized(x), w.values, bias, { rows, cols, outs, multiplier: 1.5 });
        const whole = run(0, outs);
        expect(error(whole, wanted), `${cols} x ${outs}`).toBeLessThan(CLOSE);
        expect(run(0, outs >> 1, outs)).toEqual(whole);
      }
    }
  });

  test('linear: the largest weights', () => {
    const [cols, outs] = [64, 2];
    const bench = new Bench(build);
    const x = randomNormal(cols, 1);
    const values = Float32Array.from({ length: outs * cols }, (_, i) => ((i * 7) % 3) - 1);
    const w = bench.matrix(format, values, outs, cols);
    const y = bench.room(outs);
    bench.kernels.linear(
      w.format + INT8,
      bench.put(x),
      w.w,
      w.s,
      0,
      y,
      1,
      cols,
      outs,
      1,
      bench.scratch(),
      0,
      outs,
    );
    const wanted = linearReference(quantized(x), w.values, undefined, { rows: 1, cols, outs, multiplier: 1 });
    expect(error(bench.floats(y), wanted)).toBeLessThan(CLOSE);
  });

  test.each([3, 7, 8, 130])('linear, %i rows', (rows) => {
    const [cols, outs] = [96, 5];
    const bench = new Bench(build);
    const x = inputsOf(rows, cols);
    const w = bench.matrix(format, randomNormal(outs * cols, 2, 0.2), outs, cols);
    const y = bench.room(rows * outs);
    const inputs = [bench.put(x), w.w, w.s, 0, y, rows, cols, outs, 1] as const;
    bench.kernels.linear(w.format + INT8, ...inputs, bench.scratch(), 0, outs);
    const seen = rows > 7 ? x : quantized(x);
    const wanted = linearReference(seen, w.values, undefined, { rows, cols, outs, multiplier: 1 });
    expect(error(bench.floats(y), wanted)).toBeLessThan(CLOSE);
  });

  test('glu', () => {
    const [hidden, width] = [96, 11];
    const bench = new Bench(build);
    const x = inputsOf(1, hidden);
    const gate = bench.matrix(format, randomNormal(width * hidden, 2, 0.2), width, hidden);
    const up = bench.matrix(format, randomNormal(width * hidden, 3, 0.2), width, hidden);
    const h = bench.room(width);
    const inputs = [bench.put(x), gate.w, gate.s, up.w, up.s, 0, 0, h, 1, hidden, width, 0] as const;
    bench.kernels.glu(gate.format + INT8, ...inputs, bench.scratch(), 0, width);
    const size = { rows: 1, cols: hidden, outs: width, multiplier: 1 };
    const gates = linearReference(quantized(x), gate.values, undefined, size);
    const ups = linearReference(quantized(x), up.values, undefined, size);
    const wanted = gates.map((value, i) => activate(0, value) * ups[i]!);
    expect(error(bench.floats(h), wanted)).toBeLessThan(CLOSE);
  });
});
