import { expect, test } from 'vitest';
import { activeExperts, chooseSchedule } from './atomic-schedule.ts';

test('active experts: all distinct while pairs are few, all of them when there are many', () => {
  expect(activeExperts({ tokens: 1, topK: 32, experts: 102_400 })).toBeCloseTo(32, 1);
  expect(activeExperts({ tokens: 4096, topK: 512, experts: 102_400 })).toBeCloseTo(102_400, 0);
  expect(activeExperts({ tokens: 2, topK: 1, experts: 2 })).toBeCloseTo(1.5, 6);
});

test.each([
  [{ tokens: 1, topK: 512, experts: 102_400 }, 'tokens'],
  [{ tokens: 16, topK: 512, experts: 102_400 }, 'tokens'],
  [{ tokens: 256, topK: 512, experts: 102_400 }, 'tokens'],
  [{ tokens: 4096, topK: 512, experts: 102_400 }, 'experts'],
  [{ tokens: 1, topK: 32, experts: 4096 }, 'tokens'],
  [{ tokens: 1024, topK: 32, experts: 4096 }, 'experts'],
  [{ tokens: 4096, topK: 512, experts: 102_400, adapterClass: 'software' }, 'tokens'],
] as const)('%o: %s', (work, schedule) => {
  expect(chooseSchedule(work)).toBe(schedule);
});
