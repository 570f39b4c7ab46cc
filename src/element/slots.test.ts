import { describe, expect, test } from 'vitest';
import type { DiskReport } from '../engine/api.ts';
import { layoutExperts } from './expert-layout.ts';
import { FADE_MS, isFilling, SlotHistory } from './slot-history.ts';
import { SlotMeter } from './slot-meter.ts';
import { slotReport } from './slots.test-support.ts';

describe('history', () => {
  test('counts each layer and all of them', () => {
    const history = new SlotHistory();
    expect(history.total()).toEqual({ resident: 0, loading: 0, predicted: 0, absent: 0 });
    history.take(slotReport(['##~.', '#?..']), 0);
    expect(history.counts(0)).toEqual({ resident: 2, loading: 1, predicted: 0, absent: 1 });
    expect(history.counts(1)).toEqual({ resident: 1, loading: 0, predicted: 1, absent: 2 });
    expect(history.total()).toEqual({ resident: 3, loading: 1, predicted: 1, absent: 3 });
  });

  test('what was evicted fades out; what comes back does not', () => {
    const history = new SlotHistory();
    expect(history.take(slotReport(['##..']), 0)).toBe(true);
    expect(history.fading(0, 0)).toBe(0); // the first look says nothing of before
    expect(history.take(slotReport(['.##.']), 1000)).toBe(true);
    expect(history.fading(0, 1000)).toBe(1);
    expect(history.fading(0, 1000 + FADE_MS / 2)).toBeCloseTo(0.5);
    expect(history.fading(0, 1000 + FADE_MS)).toBe(0);
    expect(history.fading(3, 1000)).toBe(0);
    history.take(slotReport(['#.#.']), 1100);
    expect([history.fading(0, 1100), history.fading(1, 1100)]).toEqual([0, 1]);
    expect(history.take(slotReport(['#.#.']), 1200)).toBe(false);
  });

  test('another model begins anew', () => {
    const history = new SlotHistory();
    history.take(slotReport(['####']), 0);
    expect(history.take(slotReport(['..', '..']), 10)).toBe(true);
    expect(history.fading(0, 10)).toBe(0);
  });
});

describe('filling', () => {
  const disk: DiskReport = { key: 'k', storedBytes: 5, totalBytes: 9, isReadOnly: false, why: '' };

  test.each([
    ['a free place', slotReport(['#...']), true],
    ['no free place, no disk', slotReport(['##..']), false],
    ['no free place, a disk that misses some', slotReport(['##..'], { disk }), true],
    ['a disk that has all', slotReport(['##..'], { disk: { ...disk, storedBytes: 9 } }), false],
    ['a disk that cannot be written', slotReport(['##..'], { disk: { ...disk, why: 'full' } }), false],
    [
      'layers of four and two, all places taken',
      slotReport(['###.', '##..'], { units: [4, 2], slotsPerLayer: 3 }),
      false,
    ],
    ['all here', slotReport(['####'], { slotsPerLayer: 4, disk }), false],
  ])('%s', (_name, report, expected) => {
    expect(isFilling(report)).toBe(expected);
  });
});

describe('numbers', () => {
  test('are of this reply, without what its prompt brought', () => {
    const meter = new SlotMeter();
    const at = (tokens: number, more: object) => meter.take(slotReport(['##..'], { tokens, ...more }));
    expect(at(5, { uploadedBytes: 100, hits: 40, misses: 10 })).toBeUndefined();
    meter.begin();
    expect(at(5, { uploadedBytes: 9000, hits: 40, misses: 10 })).toBeUndefined(); // the prompt
    expect(at(6, { uploadedBytes: 9100, hits: 41, misses: 12, stallMs: 10 })).toBeUndefined();
    expect(at(8, { uploadedBytes: 9500, hits: 47, misses: 14, stallMs: 16, adopted: 3, wasted: 1 })).toEqual({
      hitRate: 0.75,
      bytesPerToken: 200,
      stallMsPerToken: 3,
      guessesUsed: 3,
      guessesWasted: 1,
    });
  });

  test('begin anew after a resize, which sets the counters back', () => {
    const meter = new SlotMeter();
    const at = (tokens: number, hits: number) =>
      meter.take(slotReport(['##..'], { tokens, hits, misses: 0 }));
    at(1, 10);
    expect(at(3, 20)?.hitRate).toBe(1);
    expect(at(0, 0)).toBeUndefined();
    expect(at(1, 2)).toBeUndefined();
    expect(at(2, 4)?.hitRate).toBe(1);
  });

  test('nothing looked up is no rate', () => {
    const meter = new SlotMeter();
    meter.take(slotReport(['##..'], { tokens: 1 }));
    expect(meter.take(slotReport(['##..'], { tokens: 2 }))?.hitRate).toBeNaN();
  });
});

test('rows may be lower than those of the experts at work', () => {
  const shape = { layers: 4, perLayer: 64 };
  const low = layoutExperts(shape, 400, 16);
  expect(low.panels[0]).toMatchObject({ columns: 64, rows: 1, cellHeight: 16 });
  expect(low.height).toBeLessThan(layoutExperts(shape, 400).height);
});
