import { describe, expect, test } from 'vitest';
import { gated } from '../kernels/core/activation.reference.ts';
import { embeddingReference } from '../kernels/core/embedding.reference.ts';
import { linearReference } from '../kernels/linear/linear.reference.ts';
import { randomNormal } from '../kernels/testing.ts';
import { BUILT_IN_FORMATS, weightFormat, type BuiltInFormat } from '../weights/formats/index.ts';
import { Bench, BUILDS, error } from './testing.ts';

const CLOSE = 1e-5;

const FORMATS = BUILT_IN_FORMATS.filter((name) => weightFormat(name).simd !== undefined);
const cases = BUILDS.flatMap((build) => FORMATS.map((format) => ({ build, format })));

/** Columns: one block, several, more than a tile; odd numbers where the format takes them. */
function columnsOf(format: BuiltInFormat): number[] {
  const { block } = weightFormat(format);
  if (block === 256) return [256, 512, 768, 2048];
  if (block === 64) return [64, 128, 192, 320, 1088, 2048];
  return format === 'f32' ? [1, 7, 64, 1029] : [block, 3 * block, 160, 1024 + 5 * block];
}

describe.each(cases)('$build, $format', ({ build, format }) => {
  function linear({
    rows,
    cols,
    outs,
    hasBias = true,
  }: Record<'rows' | 'cols' | 'outs', number> & { hasBias?: boolean }) {
    const bench = new Bench(build);
    const x = randomNormal(rows * cols, 1);
    const w = bench.matrix(format, randomNormal(outs * cols, 2, 1 / Math.sqrt(cols)), outs, cols);
    const bias = hasBias ? randomNormal(outs, 3) : undefined;
    const [xAt, biasAt, scratch] = [bench.put(x), bias ? bench.put(bias) : 0, bench.scratch()];
    const run = (cuts: readonly number[]) => {
      const y = bench.room(rows * outs);
      for (const [i, first] of cuts.slice(0, -1).entries()) {
        const end = cuts[i + 1]!;
        bench.kernels.linear(w.format, xAt, w.w, w.s, biasAt, y, rows, cols, outs, 1.5, scratch, first, end);
      }
      return bench.floats(y);
    };
    return { run, wanted: linearReference(x, w.values, bias, { rows, cols, outs, multiplier: 1.5 }) };
  }

  test.each([1, 2, 3, 4, 7, 9, 133])('linear, %i rows', (rows) => {
    for (const cols of columnsOf(format)) {
      for (const outs of rows > 100 ? [6] : [1, 2, 3, 4, 9]) {
        const { run, wanted } = linear({ rows, cols, outs, hasBias: outs !== 4 });
        const whole = run([0, outs]);
        expect(error(whole, wanted), `${rows} x ${cols} x ${outs}`).toBeLessThan(CLOSE);
        expect(run([0, outs >> 1, outs])).toEqual(whole);
      }
    }
  });

  test('linear, more columns than scratch has room for', () => {
    const { run, wanted } = linear({ rows: 1, cols: 65536, outs: 3 });
    expect(error(run([0, 3]), wanted)).toBeLessThan(CLOSE);
  });

  test.each([1, 2, 5, 133])('glu, %i rows', (rows) => {
    const { block } = weightFormat(format);
    const [hidden, width] = [Math.ceil(96 / block) * block, 11];
    const bench = new Bench(build);
    const x = randomNormal(rows * hidden, 1);
    const gate = bench.matrix(format, randomNormal(width * hidden, 2, 0.2), width, hidden);
    const up = bench.matrix(format, randomNormal(width * hidden, 3, 0.2), width, hidden);
    const [xAt, scratch] = [bench.put(x), bench.scratch()];
    const size = { rows, cols: hidden, outs: width, multiplier: 1 };
    const biases = [4, 5].map((seed) => randomNormal(width, seed, 3));
    for (const act of [0, 1, 2, 3, 4, 5]) {
      const [gateBias, upBias] = act === 5 ? biases : [];
      const gates = linearReference(x, gate.values, gateBias, size);
      const ups = linearReference(x, up.values, upBias, size);
      const run = (...cuts: readonly number[]) => {
        const h = bench.room(rows * width);
        for (const [i, first] of cuts.slice(0, -1).entries()) {
          const biasesAt = [gateBias ? bench.put(gateBias) : 0, upBias ? bench.put(upBias) : 0] as const;
          const matrices = [gate.w, gate.s, up.w, up.s, ...biasesAt] as const;
          const shape = [rows, hidden, width, act] as const;
          bench.kernels.glu(gate.format, xAt, ...matrices, h, ...shape, scratch, first, cuts[i + 1]!);
        }
        return bench.floats(h);
      };
      const whole = run(0, width);
      expect(
        error(
          whole,
          gates.map((value, i) => gated(act, value, ups[i]!)),
        ),
      ).toBeLessThan(CLOSE);
      expect(run(0, 5, width)).toEqual(whole);
    }
  });

  test('embedding', () => {
    const vocab = 9;
    for (const cols of columnsOf(format)) {
      const bench = new Bench(build);
      const table = bench.matrix(format, randomNormal(vocab * cols, 1), vocab, cols);
      const ids = Uint32Array.of(8, 0, 9, 3, 0xffffffff, 8);
      const idsAt = bench.put(ids);
      for (const multiplier of [1, 2.5]) {
        const y = bench.room(6 * cols);
        const embed = (first: number, end: number) =>
          bench.kernels.embedding(
            table.format,
            idsAt,
            table.w,
            table.s,
            y,
            vocab,
            cols,
            multiplier,
            first,
            end,
          );
        embed(0, 2);
        embed(2, 6);
        const wanted = embeddingReference(ids, table.values, { tokens: 6, vocab, cols, multiplier });
        expect(error(bench.floats(y), wanted)).toBeLessThan(1e-6);
      }
    }
  });
});
