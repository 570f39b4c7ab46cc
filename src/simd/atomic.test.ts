import { describe, expect, test } from 'vitest';
import {
  atomicExpertsReference,
  atomicScoresReference,
  type AtomicPage,
} from '../kernels/atomic/atomic-experts.reference.ts';
import { pairSortReference } from '../kernels/atomic/pair-sort.reference.ts';
import { randomNormal, randomStream } from '../kernels/testing.ts';
import { BUILT_IN_FORMATS, weightFormat, type BuiltInFormat } from '../weights/formats/index.ts';
import { FIRST_CODED, SCRATCH_BYTES } from './kernels.ts';
import { Bench, BUILDS, error } from './testing.ts';

const CLOSE = 1e-5;
const PAGES = 5;
const PAGE_EXPERTS = 3;

function randomIds(count: number, experts: number, seed: number): Uint32Array {
  const next = randomStream(seed);
  return Uint32Array.from({ length: count }, () => Math.floor(next() * experts));
}

/** Pages of random experts in memory, of which number 2 is absent. */
function pagesOf(bench: Bench, format: BuiltInFormat, hidden: number) {
  const table = new Uint32Array(PAGES);
  const pages: AtomicPage[] = [];
  const places = { code: 0, at: 0, scalesAt: 0, outAt: 0, outScalesAt: 0 };
  for (let page = 0; page < PAGES; page += 1) {
    const matrices = [0, 1].map((part) => {
      const values = randomNormal(PAGE_EXPERTS * hidden, 10 * page + part, 1 / Math.sqrt(hidden));
      return bench.matrix(format, values, PAGE_EXPERTS, hidden);
    });
    const [input, output] = [matrices[0]!, matrices[1]!];
    // A record begins before its matrices: offsets are the same in all, since all are alike.
    const record = input.w - 64;
    places.code = input.format;
    places.at = 64;
    places.scalesAt = input.s === 0 ? 0 : input.s - record;
    places.outAt = output.w - record;
    places.outScalesAt = output.s === 0 ? 0 : output.s - record;
    if (page === 2) continue;
    table[page] = record;
    pages[page] = { in: input.values, out: output.values };
  }
  return { table: bench.put(table), page: (number: number) => pages[number], ...places };
}

const FORMATS = BUILT_IN_FORMATS.filter((name) => (weightFormat(name).simd ?? FIRST_CODED) < FIRST_CODED);
const cases = BUILDS.flatMap((build) => FORMATS.map((format) => ({ build, format })));

describe.each(cases)('$build, $format', ({ build, format }) => {
  const hiddens = format === 'f32' ? [6, 96] : format.startsWith('q') ? [32, 160] : [40, 160];

  test.each(hiddens.flatMap((hidden) => [1, 6].map((tokens) => ({ hidden, tokens }))))(
    '$tokens tokens, hidden $hidden',
    ({ hidden, tokens }) => {
      const topK = 7;
      const pairs = tokens * topK;
      const bench = new Bench(build);
      const { code, table, page, at, scalesAt, outAt, outScalesAt } = pagesOf(bench, format, hidden);
      const x = randomNormal(tokens * hidden, 1);
      const ids = randomIds(pairs, PAGES * PAGE_EXPERTS, 2);
      const weights = randomNormal(pairs, 3);
      const [xAt, idsAt, weightsAt] = [bench.put(x), bench.put(ids), bench.put(weights)];
      const scratch = bench.scratch(SCRATCH_BYTES + 16 * pairs);
      const sorted = bench.room(2 * pairs);
      bench.kernels.sort_pairs(idsAt, sorted, scratch, pairs, PAGES * PAGE_EXPERTS);
      const options = { tokens, hidden, topK, act: 0, pageExperts: PAGE_EXPERTS, page };
      const wanted = atomicScoresReference(x, ids, options);

      const score = (name: 'atomic_scores' | 'atomic_scores_sorted', ...cuts: readonly number[]) => {
        const s = bench.room(pairs);
        const kernel = bench.kernels[name];
        const order = name === 'atomic_scores' ? idsAt : sorted;
        for (const [i, first] of cuts.slice(0, -1).entries()) {
          const numbers = [hidden, topK, 0, PAGE_EXPERTS, at, scalesAt] as const;
          kernel(code, xAt, order, table, s, ...numbers, scratch, first, cuts[i + 1]!);
        }
        return { s, values: bench.floats(s) };
      };
      for (const name of ['atomic_scores', 'atomic_scores_sorted'] as const) {
        const whole = score(name, 0, pairs).values;
        expect(error(whole, wanted), name).toBeLessThan(CLOSE);
        expect(score(name, 0, 3, pairs - 2, pairs).values, name).toEqual(whole);
      }

      const { s } = score('atomic_scores', 0, pairs);
      const combine = (...cuts: readonly number[]) => {
        const y = bench.room(tokens * hidden);
        for (const [i, first] of cuts.slice(0, -1).entries()) {
          const numbers = [tokens, hidden, topK, PAGE_EXPERTS, outAt, outScalesAt] as const;
          bench.kernels.atomic_combine(
            code,
            s,
            idsAt,
            weightsAt,
            table,
            y,
            ...numbers,
            scratch,
            first,
            cuts[i + 1]!,
          );
        }
        return bench.floats(y);
      };
      const whole = combine(0, hidden);
      expect(error(whole, atomicExpertsReference(x, ids, weights, options))).toBeLessThan(CLOSE);
      if (hidden > 32) expect(combine(0, 32, hidden)).toEqual(whole);
    },
  );
});

describe.each(BUILDS)('%s', (build) => {
  test.each([1, 7, 300, 5000, 2 ** 22 + 1, 2 ** 32])('sort_pairs of %i experts', (experts) => {
    const bench = new Bench(build);
    const ids = randomIds(777, experts, experts);
    const sorted = bench.room(2 * ids.length);
    const scratch = bench.scratch(SCRATCH_BYTES + 16 * ids.length);
    bench.kernels.sort_pairs(bench.put(ids), sorted, scratch, ids.length, experts);
    expect(bench.words(sorted)).toEqual(pairSortReference(ids));
  });
});
