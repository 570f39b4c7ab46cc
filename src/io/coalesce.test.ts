import { expect, test } from 'vitest';
import { coalescedFolder } from './coalesce.ts';
import type { FileSource, FolderSource, ReadOptions } from './source.ts';

const BYTES = Uint8Array.from({ length: 20_000_000 }, (_, at) => (at * 7 + (at >> 8)) & 255);

/** A file that writes down what is read of it. */
function recorded(read?: (options: ReadOptions) => Promise<void>) {
  const reads: [number, number][] = [];
  const file: FileSource = {
    name: 'f',
    sizeBytes: BYTES.length,
    validator: 'v1',
    async read(offsetBytes, sizeBytes, options = {}) {
      reads.push([offsetBytes, sizeBytes]);
      await read?.(options);
      return BYTES.slice(offsetBytes, offsetBytes + sizeBytes);
    },
  };
  const folder: FolderSource = {
    label: 'test',
    open: (name) => Promise.resolve(name === 'f' ? file : undefined),
  };
  return { folder: coalescedFolder(folder), reads };
}

async function opened(folder: FolderSource): Promise<FileSource> {
  const file = await folder.open('f');
  if (!file) throw new Error('no file');
  return file;
}

test('neighbours become one read, in whatever order they are asked for', async () => {
  const { folder, reads } = recorded();
  const file = await opened(folder);
  const parts = [
    [300, 100],
    [100, 200],
    [900, 50], // a gap before it
    [400, 10],
  ] as const;
  const got = await Promise.all(parts.map(([offset, size]) => file.read(offset, size)));
  expect(reads).toEqual([
    [100, 310],
    [900, 50],
  ]);
  for (const [index, [offset, size]] of parts.entries())
    expect(got[index]).toEqual(BYTES.slice(offset, offset + size));
  expect([file.sizeBytes, file.validator, await folder.open('g')]).toEqual([BYTES.length, 'v1', undefined]);
});

test('doubles are read once, overlaps apart, later asks wait for nobody, and reads stay of a sound size', async () => {
  const { folder, reads } = recorded();
  const file = await opened(folder);
  await Promise.all([
    file.read(0, 10),
    file.read(5, 10),
    file.read(15, 5),
    file.read(15, 5),
    file.read(5, 9),
  ]);
  expect(reads).toEqual([
    [0, 10],
    [5, 9],
    [5, 15],
  ]);
  reads.length = 0;
  await file.read(0, 10);
  await file.read(10, 10);
  expect(reads).toHaveLength(2);
  reads.length = 0;
  const size = 3_000_000;
  await Promise.all([0, 1, 2, 3].map((index) => file.read(index * size, size)));
  expect(reads.map(([, length]) => length)).toEqual([2 * size, 2 * size]);
});

test('one who gives up does not disturb the others; a failure reaches all', async () => {
  let signal: AbortSignal | undefined;
  let hasBegun = () => {};
  let letGo = () => {};
  const { folder } = recorded(async (options) => {
    signal = options.signal;
    hasBegun();
    await new Promise<void>((resolve) => {
      letGo = resolve;
      options.signal?.addEventListener('abort', () => resolve());
    });
    options.signal?.throwIfAborted();
  });
  const begun = () => new Promise<void>((resolve) => (hasBegun = resolve));
  const file = await opened(folder);
  const [a, b] = [new AbortController(), new AbortController()];
  let started = begun();
  const first = file.read(0, 10, { signal: a.signal });
  const second = file.read(10, 10, { signal: b.signal });
  await started;
  a.abort(new Error('enough'));
  await expect(first).rejects.toThrow('enough');
  expect(signal?.aborted).toBe(false);
  letGo();
  expect(await second).toEqual(BYTES.slice(10, 20));
  started = begun();
  const third = file.read(0, 10, { signal: b.signal });
  const fourth = file.read(10, 10, { signal: b.signal });
  await started;
  b.abort(new Error('all'));
  await expect(third).rejects.toThrow('all');
  await expect(fourth).rejects.toThrow('all');
  expect(signal?.aborted).toBe(true);
  await expect(file.read(0, 1, { signal: b.signal })).rejects.toThrow('all');

  const broken = await opened(recorded(() => Promise.reject(new Error('gone'))).folder);
  await expect(Promise.all([broken.read(0, 1), broken.read(1, 1)])).rejects.toThrow('gone');
});

test('what is given up before it is sent is not sent', async () => {
  const { folder, reads } = recorded();
  const file = await opened(folder);
  const abort = new AbortController();
  const asked = [file.read(0, 10, { signal: abort.signal }), file.read(10, 10), file.read(30, 10, abort)];
  abort.abort(new Error('enough'));
  const outcomes = await Promise.allSettled(asked);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected']);
  expect(reads).toEqual([[10, 10]]);
});

test('where the source gives too few bytes, a reader gets what there is of its own', async () => {
  const short: FolderSource = {
    label: 'test',
    open: async () => ({
      name: 'f',
      sizeBytes: 400_000,
      read: async (offsetBytes, sizeBytes) => BYTES.slice(offsetBytes, offsetBytes + sizeBytes - 1),
    }),
  };
  const file = await opened(coalescedFolder(short));
  const [first, second] = await Promise.all([file.read(0, 200_000), file.read(200_000, 200_000)]);
  expect([first.byteLength, second.byteLength]).toEqual([200_000, 199_999]);
});
