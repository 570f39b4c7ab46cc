import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fileTuning } from './tuning-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atomoe-tuning-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('what is written is read again, adapter by adapter', async () => {
  const store = fileTuning(join(folder, 'deep/tuning.json'));
  expect(await store.read('a')).toEqual(new Map());
  await store.write('a', new Map([['linear', 'wide']]));
  await store.write('b', new Map([['linear', 'narrow']]));
  expect(await store.read('a')).toEqual(new Map([['linear', 'wide']]));
  expect(await store.read('b')).toEqual(new Map([['linear', 'narrow']]));
  expect(await readdir(join(folder, 'deep'))).toEqual(['tuning.json']);
});

test('a damaged file counts as none, and is written over', async () => {
  const path = join(folder, 'tuning.json');
  await writeFile(path, '{"a": {"lin');
  const store = fileTuning(path);
  expect(await store.read('a')).toEqual(new Map());
  await store.write('a', new Map([['gate', 'lane']]));
  expect(await store.read('a')).toEqual(new Map([['gate', 'lane']]));
});
