import { expect, test } from 'vitest';
import { giveMemory, takeMemory } from './spare-memory.ts';

const SIZE_BYTES = 128 * 1024;
const LIMIT_BYTES = 64 * 2 ** 20;

test('memory that was given back serves the next read of its size', () => {
  const bytes = takeMemory(SIZE_BYTES);
  giveMemory(bytes);
  expect(takeMemory(SIZE_BYTES + 1) === bytes).toBe(false);
  expect(takeMemory(SIZE_BYTES) === bytes).toBe(true);
  expect(takeMemory(SIZE_BYTES) === bytes).toBe(false); // it is lent once
});

test('a part of a buffer is not given to others', () => {
  const part = takeMemory(2 * SIZE_BYTES).subarray(0, SIZE_BYTES);
  giveMemory(part);
  expect(takeMemory(SIZE_BYTES) === part).toBe(false);
});

test('no more than a limit is kept, and the oldest goes first', () => {
  const count = LIMIT_BYTES / SIZE_BYTES;
  const given = Array.from({ length: count + 1 }, () => takeMemory(SIZE_BYTES));
  given.forEach(giveMemory);
  const taken = new Set(Array.from({ length: count + 1 }, () => takeMemory(SIZE_BYTES)));
  expect(given.map((bytes) => taken.has(bytes))).toEqual(given.map((_, i) => i > 0));
  const large = takeMemory(LIMIT_BYTES + 1);
  giveMemory(large);
  expect(takeMemory(LIMIT_BYTES + 1) === large).toBe(false);
});

test('memory of others stays theirs, and what is given back twice is lent once', () => {
  const theirs = new Uint8Array(SIZE_BYTES + 8);
  giveMemory(theirs);
  expect(takeMemory(SIZE_BYTES + 8) === theirs).toBe(false);
  const twice = takeMemory(SIZE_BYTES + 16);
  giveMemory(twice);
  giveMemory(twice);
  expect(takeMemory(SIZE_BYTES + 16) === twice).toBe(true);
  expect(takeMemory(SIZE_BYTES + 16) === twice).toBe(false);
});

test('memory that was transferred after it was given back does no harm', () => {
  const gone = Array.from({ length: LIMIT_BYTES / SIZE_BYTES }, () => takeMemory(SIZE_BYTES + 24));
  gone.forEach(giveMemory);
  for (const { buffer } of gone) structuredClone(buffer, { transfer: [buffer] });
  expect(takeMemory(0).byteLength).toBe(0);
  const next = Array.from({ length: 4 }, () => takeMemory(LIMIT_BYTES / 2));
  next.forEach(giveMemory);
  expect(takeMemory(LIMIT_BYTES / 2) === next[3]).toBe(true);
});
