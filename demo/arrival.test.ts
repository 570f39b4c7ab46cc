import { expect, test } from 'vitest';
import type { DiskReport, ModelPlan } from '../src/engine/api.ts';
import { slotReport } from '../src/element/slots.test-support.ts';
import { describeArrival, describeFirstWord } from './arrival.ts';

const plan = { bytes: { download: 20_000, allExperts: 16_000 } } as ModelPlan;
const disk: DiskReport = {
  key: 'k',
  storedBytes: 9_000,
  totalBytes: 21_000,
  isReadOnly: false,
  why: '',
};
const some = ['##......', '##......'];

test('what is kept on the disk counts where there is one', () => {
  expect(describeArrival(slotReport(some, { disk }), plan)).toBe(
    'The rest downloads in the background: 9.0 kB of 21 kB are here.',
  );
  const nearly = { ...disk, storedBytes: 20_900 };
  expect(describeArrival(slotReport(some, { disk: nearly }), plan)).toContain('almost all of 21 kB is here');
});

test('without a disk it is what is in GPU memory, where all will be', () => {
  const filling = slotReport(some, { slotsPerLayer: 8, unitBytes: 1000 });
  expect(describeArrival(filling, plan)).toContain(' 8.0 kB of 20 kB are here');
  const unkept = { ...disk, why: 'the disk is full' };
  expect(describeArrival(slotReport(some, { slotsPerLayer: 8, disk: unkept }), plan)).toContain(' 8.0 kB of');
});

test('no line when nothing arrives any more', () => {
  expect(describeArrival(slotReport(some), plan)).toBe('');
  expect(describeArrival(slotReport(some, { disk: { ...disk, storedBytes: 21_000 } }), plan)).toBe('');
  expect(describeArrival(slotReport(['####'], { slotsPerLayer: 4 }), plan)).toBe('');
});

test('the first word needed the dense part, and the experts that were read', () => {
  expect(describeFirstWord(slotReport(some, { readBytes: 5_000 }), plan)).toBe(
    'Needed for the first word: 9.0 kB of 20 kB.',
  );
});
