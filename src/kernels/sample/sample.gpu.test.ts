import { describe, expect, test } from 'vitest';
import {
  NOT_FINITE,
  parseRecord,
  RECORD_HEAD_WORDS,
  recordWords,
  type CandidateCount,
} from './sample-record.ts';
import { bestIds, sampleReference } from './sample.reference.ts';
import { BLOCK_WORDS, sampleBlocks, sampleBlocksKernel, samplePick, sampleRank } from './sample.ts';
import { expectClose, randomNormal, runKernel, testGpu } from '../testing.ts';

const gpu = await testGpu();

interface SampleCase {
  readonly candidates: CandidateCount;
  readonly wg: 8 | 64;
  readonly inverseTemperature?: number;
}

/** All three steps; `ranked` and `found` are checked through the record. */
async function sample(
  logits: Float32Array<ArrayBuffer>,
  { candidates, wg, inverseTemperature = 1.25 }: SampleCase,
): Promise<Uint32Array<ArrayBuffer>> {
  const size = { vocab: logits.length };
  const blocks = sampleBlocks(logits.length);
  const params = { vocab: logits.length, blocks, inverse_temperature: inverseTemperature };
  const { found } = await runKernel(
    gpu,
    sampleBlocksKernel,
    { wg },
    {
      buffers: { logits, found: { type: 'u32', count: BLOCK_WORDS * blocks } },
      params,
      size,
    },
  );
  const { ranked, record: head } = await runKernel(
    gpu,
    sampleRank,
    { candidates, wg },
    {
      buffers: {
        found,
        ranked: { type: 'u32', count: candidates },
        record: { type: 'u32', count: recordWords(candidates) },
      },
      params,
      size,
    },
  );
  const { record } = await runKernel(
    gpu,
    samplePick,
    { candidates, wg },
    {
      buffers: { logits, found, ranked, record: head },
      params,
      size,
    },
  );
  return record as Uint32Array<ArrayBuffer>;
}

async function check(logits: Float32Array<ArrayBuffer>, how: SampleCase) {
  const got = await sample(logits, how);
  const want = sampleReference(logits, { inverseTemperature: 1.25, ...how });
  const used = recordWords(Math.min(how.candidates, logits.length));
  expect(got[0]).toBe(want[0]);
  expect(got[1]).toBe(want[1]);
  const sums = (words: Uint32Array<ArrayBuffer>) => new Float32Array(words.buffer).subarray(2, 4);
  expectClose(sums(got), sums(want), { absolute: 0, relative: 1e-5, label: 'sums' });
  expect(got.slice(4, used)).toEqual(want.slice(4, used)); // ids and logits exactly
}

const VARIANTS: readonly SampleCase[] = [
  { candidates: 64, wg: 8 },
  { candidates: 64, wg: 64 },
  { candidates: 256, wg: 8 },
  { candidates: 256, wg: 64 },
];

describe.each(VARIANTS)('$candidates candidates, workgroups of $wg', (how) => {
  test.each([1, 2, 15, 16, 17, 63, 64, 65, 97, 257, 1024, 4096, 4099])('%i logits', (vocab) =>
    check(randomNormal(vocab, vocab, 3), how),
  );

  test('ties go to the lower id', () => check(randomNormal(3000, 1, 3).map(Math.round), how));
  test('equal logits', () => check(new Float32Array(1100).fill(-2.5), how));
  test('the best of all in one block', () => {
    const logits = randomNormal(16 * 300, 2);
    const blocks = sampleBlocks(logits.length);
    for (let i = 0; i < 16; i += 1) logits[7 + i * blocks]! += 20;
    return check(logits, how);
  });
  test('rising and falling logits', async () => {
    await check(
      Float32Array.from({ length: 2000 }, (_, id) => id / 100),
      how,
    );
    await check(
      Float32Array.from({ length: 2000 }, (_, id) => -id / 100),
      how,
    );
  });
});

test.each([16_384, 16_385, 49_155, 65_537, 151_936])('%i logits', (vocab) =>
  check(randomNormal(vocab, 3, 4), { candidates: 64, wg: 64 }),
);

test.each([0.05, 1, 100])('inverse temperature %d', (inverseTemperature) =>
  check(randomNormal(4096, 5, 4), { candidates: 64, wg: 8, inverseTemperature }),
);

test.each([NaN, Infinity, -Infinity])('%d among the logits is reported', async (value) => {
  for (const at of [0, 777, 999]) {
    const logits = randomNormal(1000, 1);
    logits[at] = value;
    if (at === 999) logits.fill(value, 500); // several blocks
    const record = await sample(logits, { candidates: 64, wg: 8 });
    expect(record[0]).toBe(NOT_FINITE);
    expect(parseRecord(record, 1000)).toBeUndefined();
    expect(sampleReference(logits, { candidates: 64, inverseTemperature: 1 })[0]).toBe(NOT_FINITE);
  }
});

test('large logits lose no candidate', () => check(randomNormal(500, 1, 1e37), { candidates: 64, wg: 8 }));

test('a record reads back', () => {
  const logits = new Float32Array([0, 2, 1, 2]);
  const record = sampleReference(logits, { candidates: 64, inverseTemperature: 2 });
  const parsed = parseRecord(record, 4)!;
  expect([...parsed.ids]).toEqual([1, 3, 2, 0]);
  expect([...parsed.logits]).toEqual([2, 2, 1, 0]);
  expect(parsed.sum).toBeCloseTo(2 + Math.exp(-1) + Math.exp(-2), 6);
  expect(parsed.temperedSum).toBeCloseTo(2 + Math.exp(-2) + Math.exp(-4), 6);
  expect(record).toHaveLength(RECORD_HEAD_WORDS + 128);
});

test('the best ids of equal logits are the lowest', () => {
  expect([...bestIds(new Float32Array([1, 3, 3, 0, 3]), 2)]).toEqual([1, 2]);
});
