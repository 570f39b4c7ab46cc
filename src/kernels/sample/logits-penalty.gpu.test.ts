import { describe, expect, test } from 'vitest';
import { logitsPenalty, seenWords } from './logits-penalty.ts';
import { logitsPenaltyReference } from './logits-penalty.reference.ts';
import { seenMark } from './seen-mark.ts';
import { seenMarkReference } from './seen-mark.reference.ts';
import { expectClose, randomNormal, randomStream, runKernel, testGpu } from '../testing.ts';

const gpu = await testGpu();
const [penalise] = logitsPenalty.variants;
const [mark] = seenMark.variants;

function randomIds(count: number, below: number): Uint32Array<ArrayBuffer> {
  const next = randomStream(count);
  return Uint32Array.from({ length: count }, () => Math.floor(next() * below));
}

describe('logits-penalty', () => {
  test.each([1, 31, 32, 33, 63, 64, 65, 4096, 49_155])('%i logits', async (vocab) => {
    const logits = randomNormal(vocab, 1, 5);
    logits[0] = 0;
    const seen = randomIds(seenWords(vocab), 2 ** 32);
    seen[0]! |= 1;
    const params = { vocab, penalty: 1.3 };
    const got = await runKernel(gpu, logitsPenalty, penalise!, {
      buffers: { seen, logits },
      params,
      size: { vocab },
    });
    const want = logitsPenaltyReference(logits, seen, params);
    expectClose(got.logits as Float32Array, want, { absolute: 0, relative: 1e-6 });
  });

  test('the reference divides positive logits and multiplies the others', () => {
    const logits = new Float32Array([2, -2, 0, 2]);
    expect([...logitsPenaltyReference(logits, new Uint32Array([0b111]), { penalty: 2 })]).toEqual([
      1, -4, 0, 2,
    ]);
  });
});

describe('seen-mark', () => {
  test.each([1, 63, 64, 65, 1000])('%i ids', async (count) => {
    const vocab = 49_155;
    const ids = randomIds(count + 3, vocab + 500); // some are out of range
    const old = randomIds(seenWords(vocab), 2 ** 32).map((word) => word & 0x01010101);
    const params = { first: 2, count, vocab };
    const { seen } = await runKernel(gpu, seenMark, mark!, {
      buffers: { ids, seen: old },
      params,
      size: { count },
    });
    expect(seen).toEqual(seenMarkReference(ids, old, params));
  });

  test('the reference sets one bit per id', () => {
    const ids = new Uint32Array([9, 0, 33, 33, 40]);
    const seen = seenMarkReference(ids, new Uint32Array(2), { first: 1, count: 4, vocab: 40 });
    expect([...seen]).toEqual([1, 2]);
  });
});
