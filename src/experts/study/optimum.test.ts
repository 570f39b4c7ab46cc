import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../containers/seeded-random.testing.ts';
import { belady } from './belady.ts';
import { allUses, globalBound, layerBound, layerUses, optimalHits } from './optimum.ts';
import { STUDY_POLICY_NAMES as NAMES, studyPolicy } from './policies.ts';
import { lru } from '../policy.ts';
import { ratioPlaces, replay, traffic, uniformPlaces } from './simulate.ts';
import { unitsOf, type RoutingTrace } from './trace.ts';
import { GPT_OSS, QWEN, layerTrace, randomTrace } from './traces.testing.ts';

const SEEDS = Array.from({ length: 60 }, (_, seed) => seed);
const MODELS = [
  ['Qwen3-30B', QWEN],
  ['gpt-oss-120b', GPT_OSS],
] as const;

/** The most hits of any choice what to keep after each use. */
function triedOut(uses: readonly number[], places: number, held: ReadonlySet<number>): number {
  const [key, ...rest] = uses;
  if (key === undefined) return 0;
  const hit = held.has(key) ? 1 : 0;
  const all = new Set([...held, key]);
  const choices =
    all.size <= places ? [all] : [...all].map((out) => new Set([...all].filter((k) => k !== out)));
  return hit + Math.max(...choices.map((choice) => triedOut(rest, places, choice)));
}

test.each([0, 1, 2, 3])('%i places: as good as trying everything', (places) => {
  const random = seededRandom(places);
  for (let round = 0; round < 20; round += 1) {
    const uses = Array.from({ length: 9 }, () => Math.floor(random() * 5));
    const sequence = { uses: Uint32Array.from(uses), before: [], keys: 5 };
    expect(optimalHits(sequence, places)).toBe(triedOut(uses, places, new Set()));
  }
});

test('begins with the best of what was used before', () => {
  const uses = Uint32Array.of(3, 4, 1, 2);
  expect(optimalHits({ uses, before: [0, 1, 2, 3], keys: 5 }, 1)).toBe(1);
  expect(optimalHits({ uses, before: [0, 1, 2, 3], keys: 5 }, 2)).toBe(2);
  expect(optimalHits({ uses, before: [0, 1, 2, 3], keys: 5 }, 4)).toBe(3);
});

describe('no policy passes the bounds', () => {
  const check = (trace: RoutingTrace, ratio: number) => {
    const places = ratioPlaces(trace, ratio);
    const total = places.reduce((sum, count) => sum + count, 0);
    const perLayer = layerBound(trace, places);
    for (const name of NAMES) {
      const { hitRate } = traffic(trace, replay(trace, studyPolicy(name, trace), places));
      expect(hitRate, `${name} at ${ratio}`).toBeLessThanOrEqual(perLayer);
    }
    expect(perLayer).toBeLessThanOrEqual(globalBound(trace, total));
  };

  test.each(MODELS)('%s', (_, trace) => {
    for (const ratio of [0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 12]) check(trace, ratio);
  });

  test.each(SEEDS)('random trace %i', (seed) => {
    for (const ratio of [0.5, 1, 1.5, 2, 3]) check(randomTrace(seed), ratio);
  });
});

describe('more places never hurt', () => {
  test.each(MODELS)('the bounds of %s', (_, trace) => {
    const sequence = layerUses(trace, 3);
    let before = 0;
    for (let places = 1; places <= trace.units; places += 1) {
      const hits = optimalHits(sequence, places);
      expect(hits).toBeGreaterThanOrEqual(before);
      before = hits;
    }
    const all = allUses(trace);
    expect(optimalHits(all, trace.topK * trace.layers)).toBeLessThanOrEqual(optimalHits(all, all.keys));
  });

  // Tokens that use several units pin them, which LRU's stack property does not know: one use at a time, then.
  test.each(MODELS)('LRU and Belady on %s, one use at a time', (_, trace) => {
    const uses = Array.from({ length: trace.steps }, (__, step) => [...unitsOf(trace, step, 3)]).flat();
    const single = layerTrace(
      trace.units,
      uses.map((unit) => [unit]),
    );
    for (const makePolicy of [lru(), belady(single)]) {
      let before = 0;
      for (let places = 1; places <= trace.units; places += 1) {
        const { hits } = replay(single, makePolicy, uniformPlaces(single, places)).counters;
        expect(hits).toBeGreaterThanOrEqual(before);
        before = hits;
      }
    }
  });
});
