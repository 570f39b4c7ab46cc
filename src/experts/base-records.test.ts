import { expect, test } from 'vitest';
import { BaseRecords } from './base-records.ts';

const NEVER = new AbortController().signal;

/** Bases of two bytes and rests of one; the first bases that are asked for fail. */
function open(failures: number) {
  const asked: string[] = [];
  const bases = new BaseRecords(
    {
      baseBytes: 2,
      readBase: async (layer, unit) => {
        asked.push(`base ${layer}/${unit}`);
        if (asked.length <= failures) throw new DOMException('given up', 'AbortError');
        return Uint8Array.of(layer, unit);
      },
      readRest: async (layer, unit) => {
        asked.push(`rest ${layer}/${unit}`);
        return Uint8Array.of(9);
      },
    },
    { recordBytes: 3, units: 4, isHere: () => false },
  );
  return { bases, asked };
}

test('a base that was read ahead is not read again', async () => {
  const { bases, asked } = open(0);
  expect(await bases.read(1, 2, NEVER)).toBe(true);
  expect([...(await bases.rest(1, 2, NEVER)!)]).toEqual([1, 2, 9]);
  expect(asked).toEqual(['base 1/2', 'rest 1/2']);
  expect(bases.has(1, 2)).toBe(false);
  expect(bases.rest(1, 2, NEVER)).toBeUndefined();
});

test('who needs a record whose base was given up on the way reads it for itself', async () => {
  const { bases, asked } = open(1);
  const ahead = bases.read(1, 2, NEVER);
  const needed = bases.rest(1, 2, NEVER)!;
  await expect(ahead).rejects.toThrow('given up');
  expect([...(await needed)]).toEqual([1, 2, 9]);
  expect(asked).toEqual(['base 1/2', 'rest 1/2', 'base 1/2']);
  expect(bases.has(1, 2)).toBe(false);
});
