import { describe, expect, test } from 'vitest';
import { logitsPenaltyReference } from '../kernels/sample/logits-penalty.reference.ts';
import { NOT_FINITE, recordWords } from '../kernels/sample/sample-record.ts';
import { sampleReference } from '../kernels/sample/sample.reference.ts';
import { seenMarkReference } from '../kernels/sample/seen-mark.reference.ts';
import { randomNormal } from '../kernels/testing.ts';
import { Bench, BUILDS } from './testing.ts';

describe.each(BUILDS)('%s', (build) => {
  function sample(logits: Float32Array, candidates: number, inverseTemperature: number) {
    const bench = new Bench(build);
    const record = bench.room(recordWords(candidates));
    const at = bench.put(logits);
    bench.kernels.sample(at, logits.length, candidates, inverseTemperature, record, bench.scratch());
    return bench.words(record);
  }

  const ties = (count: number) => randomNormal(count, 5, 3).map(Math.round);
  const cases = {
    normal: randomNormal(20011, 1, 4),
    few: randomNormal(7, 2),
    one: Float32Array.of(-3),
    'as many as candidates': randomNormal(64, 3),
    equals: new Float32Array(1000).fill(2),
    ties: ties(5003),
    ascending: Float32Array.from({ length: 999 }, (_, i) => i / 8),
    descending: Float32Array.from({ length: 999 }, (_, i) => -i / 8),
    'far apart': randomNormal(515, 6, 1e4),
  };

  test.each(Object.entries(cases))('sample: %s', (_, logits) => {
    for (const candidates of [64, 256]) {
      for (const inverseTemperature of [1, 0.4, 10]) {
        const actual = sample(logits, candidates, inverseTemperature);
        const wanted = sampleReference(logits, { candidates, inverseTemperature });
        const [sums, wantedSums] = [actual, wanted].map(
          (words) => new Float32Array(words.slice(2, 4).buffer),
        );
        for (const i of [0, 1]) expect(sums![i]! / wantedSums![i]!).toBeCloseTo(1, 5);
        actual.set(wanted.subarray(2, 4), 2);
        expect(actual).toEqual(wanted);
      }
    }
  });

  test.each([NaN, Infinity, -Infinity])('sample: a logit is %d', (value) => {
    for (const place of [0, 41, 42]) {
      const logits = randomNormal(43, 1);
      logits[place] = value;
      expect(sample(logits, 64, 1)).toEqual(
        sampleReference(logits, { candidates: 64, inverseTemperature: 1 }),
      );
      expect(sample(logits, 64, 1)[0]).toBe(NOT_FINITE);
    }
  });

  test.each([1.3, 0.8])('penalty %d', (penalty) => {
    const vocab = 71;
    const bench = new Bench(build);
    const seen = Uint32Array.of(0, 0b1001, 1 << 6);
    const ids = Uint32Array.of(3, 70, 71, 31, 3, 0xffffffff);
    const logits = randomNormal(vocab, 1, 5);
    const [idsAt, seenAt, logitsAt] = [bench.put(ids), bench.put(seen), bench.put(logits)];
    bench.kernels.penalty(idsAt, ids.length, seenAt, logitsAt, vocab, penalty);
    const marked = seenMarkReference(ids, seen, { first: 0, count: ids.length, vocab });
    const wanted = logitsPenaltyReference(logits, marked, { penalty });
    expect(bench.memory.words(seenAt, 3)).toEqual(marked);
    const actual = bench.memory.floats(logitsAt, vocab);
    for (const [id, value] of wanted.entries()) expect(actual[id]).toBeCloseTo(value, 5);
  });
});
