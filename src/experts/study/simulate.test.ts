import { describe, expect, test } from 'vitest';
import { belady } from './belady.ts';
import {
  ema,
  lfru,
  lfu,
  LOOKAHEAD_TOKENS,
  lru,
  random,
  segmentLookahead,
  type MakePolicy,
} from '../policy.ts';
import { STUDY_POLICY_NAMES as NAMES, studyPolicy } from './policies.ts';
import { missKinds, ratioPlaces, replay, traffic, uniformPlaces } from './simulate.ts';
import { buildTrace, unitsOf, type RoutingTrace } from './trace.ts';
import { GPT_OSS, QWEN, layerTrace, randomTrace } from './traces.testing.ts';

const RATIOS = [0.75, 1, 1.5, 2, 3, 4, 6];
const SEEDS = Array.from({ length: 40 }, (_, seed) => seed);

describe('hit rates of an independent simulation of the same traces, to 0.15 points', () => {
  test.each<[string, RoutingTrace, MakePolicy, number[]]>([
    ['Qwen3-30B, LRU', QWEN, lru(), [31.0, 37.9, 44.7, 52.0, 64.3, 72.4, 83.9]],
    ['Qwen3-30B, LFU', QWEN, lfu(), [31.0, 37.9, 49.4, 57.0, 67.6, 75.4, 85.0]],
    ['Qwen3-30B, LFRU', QWEN, lfru(), [31.0, 37.9, 48.4, 56.0, 67.4, 75.3, 85.0]],
    ['Qwen3-30B, EMA', QWEN, ema(), [31.0, 37.9, 49.7, 57.5, 68.1, 75.7, 85.2]],
    ['Qwen3-30B, Belady', QWEN, belady(QWEN), [31.0, 37.9, 57.0, 67.0, 78.0, 84.0, 89.9]],
    ['gpt-oss-120b, LRU', GPT_OSS, lru(), [14.2, 18.3, 24.8, 33.6, 45.0, 50.8, 58.2]],
    ['gpt-oss-120b, LFRU', GPT_OSS, lfru(), [14.2, 18.3, 27.6, 35.9, 46.3, 51.9, 59.6]],
    ['gpt-oss-120b, EMA', GPT_OSS, ema(), [14.2, 18.3, 27.5, 34.7, 44.8, 51.0, 59.2]],
    ['gpt-oss-120b, Belady', GPT_OSS, belady(GPT_OSS), [14.2, 18.3, 36.7, 47.5, 58.4, 63.8, 69.7]],
  ])('%s', (_, trace, makePolicy, wanted) => {
    const found = RATIOS.map((ratio) => {
      const { hits, misses } = replay(trace, makePolicy, ratioPlaces(trace, ratio)).counters;
      return (100 * hits) / (hits + misses);
    });
    for (const [index, percent] of found.entries())
      expect(Math.abs(percent - (wanted[index] ?? 0)), `ratio ${RATIOS[index]}`).toBeLessThan(0.15);
  });

  test.each([
    ['Qwen3-30B', QWEN, 2, [0.575, 7.7, 44.3, 0]],
    ['Qwen3-30B', QWEN, 4, [0.757, 29.2, 34.0, 0]],
    ['Qwen3-30B', QWEN, 8, [0.9, 64.1, 17.2, 0]],
    ['Qwen3-30B', QWEN, 12, [0.922, 71.6, 13.6, 1.6]],
    ['gpt-oss-120b', GPT_OSS, 2, [0.338, 12.2, 31.6, 0]],
    ['gpt-oss-120b', GPT_OSS, 4, [0.499, 27.3, 26.2, 0]],
    ['gpt-oss-120b', GPT_OSS, 8, [0.641, 45.2, 19.7, 0]],
  ] as const)('whole layers of %s at %s', (_, trace, ratio, [slots, layers, missing, tokens]) => {
    const found = traffic(trace, replay(trace, ema(0.02), ratioPlaces(trace, ratio)));
    expect(Math.abs(found.hitRate - slots)).toBeLessThan(0.001);
    expect(Math.abs(100 * found.layerHitRate - layers)).toBeLessThan(0.1);
    expect(Math.abs(trace.layers * (1 - found.layerHitRate) - missing)).toBeLessThan(0.1);
    expect(Math.abs(100 * found.tokenHitRate - tokens)).toBeLessThan(0.1);
  });

  test('EMA at ratio 2 meets the targets', () => {
    const rate = (trace: RoutingTrace) => traffic(trace, replay(trace, ema(), ratioPlaces(trace, 2))).hitRate;
    expect(rate(QWEN)).toBeGreaterThanOrEqual(0.574);
    expect(rate(GPT_OSS)).toBeGreaterThanOrEqual(0.346);
  });
});

describe('places', () => {
  test('what does not divide evenly goes to the first layers', () => {
    const places = ratioPlaces(QWEN, 0.75);
    expect(places).toEqual([...Array<number>(24).fill(5), ...Array<number>(24).fill(4)]);
  });

  test('are no more than there are units', () => {
    expect(ratioPlaces(QWEN, 1000)).toEqual(Array<number>(48).fill(128));
    expect(uniformPlaces(QWEN, 1000)).toEqual(Array<number>(48).fill(128));
    expect(uniformPlaces(QWEN, 9)).toEqual(Array<number>(48).fill(9));
  });
});

test.each(SEEDS)('random trace %i: counters are what a plain LRU cache counts', (seed) => {
  const trace = randomTrace(seed);
  const places = uniformPlaces(trace, trace.topK + (seed % 3));
  const { layers, counters } = replay({ ...trace, prime: null }, lru(), places);
  for (let layer = 0; layer < trace.layers; layer += 1) {
    let resident: number[] = []; // oldest first
    const counted = { hits: 0, misses: 0, evictions: 0 };
    for (let step = 0; step < trace.steps; step += 1) {
      const units = [...unitsOf(trace, step, layer)];
      const hits = units.filter((unit) => resident.includes(unit));
      const misses = units.filter((unit) => !resident.includes(unit));
      resident = [...resident.filter((unit) => !units.includes(unit)), ...hits, ...misses];
      const evictions = Math.max(0, resident.length - (places[layer] ?? 0));
      resident = resident.slice(evictions);
      if (step < trace.warmUp) continue;
      counted.hits += hits.length;
      counted.misses += misses.length;
      counted.evictions += evictions;
    }
    expect(layers[layer]).toEqual(counted);
  }
  expect(counters.hits).toBe(layers.reduce((sum, { hits }) => sum + hits, 0));
});

/** Hits of one layer by the definition of segment look-ahead: at each eviction the uses of the next tokens are counted anew. */
function segmentHits(trace: RoutingTrace, layer: number, places: number): number {
  const steps = Array.from({ length: trace.steps }, (_, step) => [...unitsOf(trace, step, layer)]);
  let resident: number[] = []; // what was used last at the end
  let hits = 0;
  for (const [step, units] of steps.entries()) {
    const found = units.filter((unit) => resident.includes(unit));
    if (step >= trace.warmUp) hits += found.length;
    const missing = units.filter((unit) => !resident.includes(unit));
    const coming = steps.slice(step, step + LOOKAHEAD_TOKENS).flat();
    const uses = (unit: number) => coming.filter((other) => other === unit).length;
    const others = resident.filter((unit) => !units.includes(unit));
    const excess = Math.max(0, resident.length + missing.length - places);
    const leaving = others.toSorted((a, b) => uses(a) - uses(b)).slice(0, excess); // stable: the oldest first
    resident = [...others.filter((unit) => !leaving.includes(unit)), ...found, ...missing];
  }
  return hits;
}

test.each(SEEDS)('random trace %i: segment look-ahead hits as by its definition', (seed) => {
  const trace = { ...randomTrace(seed), prime: null };
  const places = trace.topK + (seed % 3);
  const { layers } = replay(trace, segmentLookahead(), uniformPlaces(trace, places));
  expect(layers.map(({ hits }) => hits)).toEqual(
    layers.map((_, layer) => segmentHits(trace, layer, Math.min(places, trace.units))),
  );
});

test('segment look-ahead by hand', () => {
  // Three places. The fourth unit evicts one of three: 1 is used twice more, 2 once, 0 only beyond the segment.
  const rest = Array.from({ length: LOOKAHEAD_TOKENS }, () => [3]);
  const trace = layerTrace(4, [[0], [1], [2], [3], [1], [2], [1], ...rest, [0]]);
  const { isHit } = replay(trace, segmentLookahead(), [3]);
  expect([...isHit]).toEqual([0, 0, 0, 0, 1, 1, 1, ...rest.map(() => 1), 0]);
});

test.each(SEEDS)('random trace %i: no policy hits more often than Belady', (seed) => {
  const trace = randomTrace(seed);
  for (const ratio of [1, 1.5, 2, 3]) {
    const places = ratioPlaces(trace, ratio);
    const best = replay(trace, belady(trace), places).counters.hits;
    for (const name of NAMES)
      expect(replay(trace, studyPolicy(name, trace), places).counters.hits, name).toBeLessThanOrEqual(best);
  }
});

test.each([
  ['Qwen3-30B', QWEN],
  ['gpt-oss-120b', GPT_OSS],
] as const)('%s: looking ahead hits more often than looking back, and less often than Belady', (_, trace) => {
  for (const ratio of [1.5, 2, 4]) {
    const hits = (policy: MakePolicy) => replay(trace, policy, ratioPlaces(trace, ratio)).counters.hits;
    const ahead = hits(segmentLookahead());
    for (const back of [ema(), lfru(), lfu(), lru()]) expect(ahead).toBeGreaterThan(hits(back));
    expect(ahead).toBeLessThan(hits(belady(trace)));
  }
});

test.each(SEEDS)('random trace %i: hits, misses and traffic agree with each other', (seed) => {
  const trace = randomTrace(seed);
  const first = trace.starts[trace.warmUp * trace.layers] ?? 0;
  const places = ratioPlaces(trace, 1 + (seed % 4) / 2);
  const best = replay(trace, belady(trace), places);
  for (const name of NAMES) {
    const played = replay(trace, studyPolicy(name, trace), places);
    const { hits, misses } = played.counters;
    expect(hits + misses).toBe(trace.ids.length - first);
    expect(played.isHit.subarray(first).filter(Boolean)).toHaveLength(hits);
    const kinds = missKinds(trace, played, best);
    expect(kinds.compulsory + kinds.capacity + kinds.policy).toBe(misses);
    expect(traffic(trace, played).bytesPerToken).toBe((misses * 100) / (trace.steps - trace.warmUp));
    if (name === 'belady') expect(kinds.policy).toBe(0);
  }
});

test.each(NAMES)('%s: with a place for every unit, only first uses miss', (name) => {
  for (const trace of [QWEN, GPT_OSS, layerTrace(5, [[0, 1], [1, 4], [0, 4], [3]])]) {
    const places = uniformPlaces(trace, trace.units);
    const played = replay(trace, studyPolicy(name, trace), places);
    const kinds = missKinds(trace, played, played);
    expect(kinds).toEqual({ compulsory: played.counters.misses, capacity: 0, policy: 0 });
    expect(played.counters.evictions).toBe(0);
  }
});

test('misses by kind, by hand', () => {
  // Two places. LRU:   0 1 miss; 2 evicts 0; 0 evicts 1; 1 evicts 2; 0 hits.
  // Belady:            0 1 miss; 2 evicts 1, which is used later than 0; 0 hits; 1 evicts 2; 0 hits.
  const trace = layerTrace(3, [[0], [1], [2], [0], [1], [0]]);
  const best = replay(trace, belady(trace), [2]);
  const played = replay(trace, lru(), [2]);
  expect([...best.isHit]).toEqual([0, 0, 0, 1, 0, 1]);
  expect([...played.isHit]).toEqual([0, 0, 0, 0, 0, 1]);
  expect(missKinds(trace, played, best)).toEqual({ compulsory: 3, capacity: 1, policy: 1 });
  expect(traffic(trace, played)).toEqual({
    hitRate: 1 / 6,
    bytesPerToken: 500 / 6,
    evictionsPerToken: 3 / 6,
    layerHitRate: 1 / 6,
    tokenHitRate: 1 / 6,
  });
});

test('a prompt fills the cache without being counted', () => {
  const head = { label: 'x', layers: 1, units: 6, topK: 2, unitBytes: [1], warmUp: 0 };
  const prime = { tokens: 4, uses: [Uint32Array.of(4, 0, 3, 1, 0, 0)] };
  const trace = buildTrace({ ...head, prime }, [[[0, 2]], [[3, 0]]]);
  const { counters, isHit } = replay(trace, ema(), [2]);
  expect([...isHit]).toEqual([1, 1, 0, 1]);
  expect(counters).toEqual({ hits: 3, misses: 1, evictions: 1 });
  // Unit 3 was used by the prompt: more places would have kept it.
  const best = replay(trace, belady(trace), [2]);
  expect(missKinds(trace, { ...best, isHit: Uint8Array.of(0, 0, 0, 0) }, best).compulsory).toBe(0);
});

test('the same seed gives the same replay', () => {
  const play = (seed: number) => replay(QWEN, random(seed), ratioPlaces(QWEN, 2)).counters;
  expect(play(1)).toEqual(play(1));
  expect(play(1)).not.toEqual(play(2));
});
