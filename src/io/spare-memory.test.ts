import { expect, test } from 'vitest';
import { giveMemory, takeMemory } from './spare-memory.ts';

const SIZE_BYTES = 128 * 1024;
const LIMIT_BYTES = 32 * 2 ** 20;

test('memory that was given back serves the next read of its size', () => {
  const bytes = takeMemory(SIZE_BYTES);
  giveMemory(bytes);
  expect(takeMemory(SIZE_BYTES + 1) === bytes).toBe(false);
  expect(takeMemory(SIZE_BYTES) === bytes).toBe(true);
  expect(takeMemory(SIZE_BYTES) === bytes).toBe(false); // it is lent once
});

test('a part of a buffer is not given to others', () => {
  const part = new Uint8Array(2 * SIZE_BYTES).subarray(0, SIZE_BYTES);
  giveMemory(part);
  expect(takeMemory(SIZE_BYTES) === part).toBe(false);
});

test('no more than a limit is kept, and the oldest goes first', () => {
  const count = LIMIT_BYTES / SIZE_BYTES;
  const given = Array.from({ length: count + 1 }, () => new Uint8Array(SIZE_BYTES));
  given.forEach(giveMemory);
  const taken = new Set(Array.from({ length: count + 1 }, () => takeMemory(SIZE_BYTES)));
  expect(given.map((bytes) => taken.has(bytes))).toEqual(given.map((_, i) => i > 0));
  const large = new Uint8Array(LIMIT_BYTES + 1);
  giveMemory(large);
  expect(takeMemory(LIMIT_BYTES + 1) === large).toBe(false);
});
