import { expect, test } from 'vitest';
import { blobBytes } from './blob-bytes.ts';
import { giveMemory, takeMemory } from './spare-memory.ts';

const contents = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 251);

test('parts of a blob, in used memory too', async () => {
  const blob = new Blob([contents.subarray(0, 100_001), contents.subarray(100_001)]);
  for (const [from, to] of [
    [0, 300_000],
    [99_990, 100_010],
    [70_000, 270_000],
    [5, 5],
  ] as const) {
    giveMemory(takeMemory(to - from).fill(255));
    const bytes = await blobBytes(blob.slice(from, to));
    expect(Buffer.compare(bytes, contents.subarray(from, to))).toBe(0);
  }
});

test('many at a time', async () => {
  const blob = new Blob([contents]);
  const parts = await Promise.all(
    Array.from({ length: 30 }, (_, i) => blobBytes(blob.slice(10_000 * i, 10_000 * (i + 1)))),
  );
  expect(Buffer.compare(Buffer.concat(parts), contents)).toBe(0);
});

test('a browser whose blobs give no byte streams reads them whole', async () => {
  const blob = new Blob([contents]);
  blob.stream = () => new ReadableStream();
  expect(Buffer.compare(await blobBytes(blob), contents)).toBe(0);
});

test('a stream that ends early gives what there was, and its error is the caller’s', async () => {
  const short = new Blob([contents]);
  short.stream = () => new Blob([contents.subarray(0, 1000)]).stream();
  expect(await blobBytes(short)).toEqual(contents.slice(0, 1000));
  const gone = new Blob([contents]);
  gone.stream = () =>
    new ReadableStream({
      type: 'bytes',
      pull: () => Promise.reject(new DOMException('gone', 'NotReadableError')),
    });
  await expect(blobBytes(gone)).rejects.toThrow('gone');
});
