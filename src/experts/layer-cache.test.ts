import { describe, expect, test } from 'vitest';
import { LayerCache, NONE } from './layer-cache.ts';
import { lru, type PolicyShape } from './policy.ts';

const shape: PolicyShape = { units: 8, topK: 2, layer: 0, seed: 0 };
const openCache = (places: number, options = {}) => new LayerCache(8, places, lru()(shape), options);

/** What `access` or `prime` asked for: [unit, place, evicted unit]. */
const loadsOf = ({ loads }: LayerCache, count: number) =>
  Array.from({ length: count }, (_, at) => [loads.unit[at], loads.place[at], loads.evicted[at]]);

function access(cache: LayerCache, ...units: number[]) {
  return loadsOf(cache, cache.access(Uint32Array.from(units), units.length));
}

describe('access', () => {
  test('fills free places in rank order, then evicts', () => {
    const cache = openCache(3);
    expect(access(cache, 5, 1)).toEqual([
      [5, 0, NONE],
      [1, 1, NONE],
    ]);
    expect(access(cache, 1, 2)).toEqual([[2, 2, NONE]]);
    expect(access(cache, 4, 1)).toEqual([[4, 0, 5]]);
    expect([...Array(3).keys()].map((place) => cache.unitAt(place))).toEqual([4, 1, 2]);
    expect(cache.placeOf(5)).toBe(NONE);
    expect(cache.counters).toEqual({ hits: 2, misses: 4, evictions: 1 });
  });

  test('never evicts what the token itself uses', () => {
    const cache = openCache(2);
    access(cache, 0, 1);
    expect(access(cache, 2, 0)).toEqual([[2, 1, 1]]); // 0 is older than 1, but used now
  });

  test('takes only the first `count` units', () => {
    const cache = openCache(2);
    expect(cache.access(Uint32Array.of(3, 4, 5), 2)).toBe(2);
    expect(cache.placeOf(5)).toBe(NONE);
  });

  test('refuses more units than places', () => {
    expect(() => access(openCache(1), 0, 1)).toThrow('2 units for 1 places');
  });

  test('leaves out what does not fit, if that is allowed', () => {
    const cache = openCache(1, { mayBypass: true });
    expect(access(cache, 0, 1)).toEqual([[0, 0, NONE]]);
    expect(access(cache, 1, 0)).toEqual([]);
    expect(access(cache, 2, 3)).toEqual([[2, 0, 0]]);
    expect(cache.counters).toEqual({ hits: 1, misses: 5, evictions: 1 });
    const none = openCache(0, { mayBypass: true });
    expect(access(none, 0, 1)).toEqual([]);
    expect(none.counters).toEqual({ hits: 0, misses: 2, evictions: 0 });
  });
});

describe('prime', () => {
  test('loads what was used most, and counts neither hits nor misses', () => {
    const cache = openCache(3);
    const loads = cache.prime(Uint32Array.of(0, 3, 9, 1, 0, 7, 0, 0), 10);
    expect(loadsOf(cache, loads)).toEqual([
      [2, 0, NONE],
      [5, 1, NONE],
      [1, 2, NONE],
    ]);
    expect(cache.counters).toEqual({ hits: 0, misses: 0, evictions: 0 });
    expect(access(cache, 3, 5)).toEqual([[3, 2, 1]]);
  });

  test('keeps what is resident and good, evicts the rest', () => {
    const cache = openCache(2);
    access(cache, 6, 7);
    const loads = cache.prime(Uint32Array.of(2, 0, 0, 0, 0, 0, 1, 0), 2);
    expect(loadsOf(cache, loads)).toEqual([[0, 1, 7]]);
    expect(cache.counters.evictions).toBe(1);
  });

  test('leaves places free that nothing was used for', () => {
    const cache = openCache(4);
    expect(cache.prime(Uint32Array.of(0, 0, 1, 0, 0, 0, 0, 0), 1)).toBe(1);
    expect(access(cache, 3, 4)).toEqual([
      [3, 1, NONE],
      [4, 2, NONE],
    ]);
  });
});

test('a dropped unit is asked for again, and its place is the next to be filled', () => {
  const cache = openCache(3);
  access(cache, 0, 1);
  access(cache, 2);
  cache.drop(1);
  cache.drop(7); // not there
  expect(cache.placeOf(1)).toBe(NONE);
  expect(access(cache, 1)).toEqual([[1, 1, NONE]]);
  expect(cache.counters).toEqual({ hits: 0, misses: 4, evictions: 0 });
});
