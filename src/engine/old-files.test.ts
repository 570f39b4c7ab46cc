/**
 * A packed model and a browser cache that commit f0bd9a1 wrote (fixtures/written-by-f0bd9a1) open in this build, and give the
 * numbers of the model that they were made of. Both are of fixtures/models/mixtral: made by `atomoe pack`, and by
 * `atomoe logits http://localhost:8124/models/mixtral --cache`.
 */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { cachedFolder } from '../io/cache/disk-cache.ts';
import { openFolder } from '../io/folder.ts';
import { nodeFolder } from '../io/node-file.ts';
import { openNodeStorage } from '../io/node-storage.ts';
import type { FolderSource } from '../io/source.ts';
import { LocalEngine } from './engine.ts';
import { largestError, type FixtureGolden } from './testing.ts';

const WRITTEN = 'fixtures/written-by-f0bd9a1';
const URL = 'http://localhost:8124/models/mixtral';

const golden = JSON.parse(await readFile('fixtures/models/mixtral/golden.json', 'utf8')) as FixtureGolden;

const made: string[] = [];
afterEach(async () => {
  for (const path of made.splice(0)) await rm(path, { recursive: true });
});

async function expectGolden(folder: FolderSource): Promise<LocalEngine> {
  const engine = await LocalEngine.open({ device: 'cpu' });
  await engine.load(folder);
  const logits = await engine.logits(golden.ids, 'at-once');
  expect(largestError(logits, golden.logits.flat())).toBeLessThan(1e-4);
  return engine;
}

test('the packed model opens, and says that its dense part has no hashes', async () => {
  const engine = await expectGolden(await nodeFolder(`${WRITTEN}/packed`));
  const kinds = engine.model?.plan.notes.map(({ kind }) => kind);
  expect(kinds).toEqual(['no-dense-hashes']);
  engine.dispose();
});

test('the cache opens without its host', async () => {
  const path = await mkdtemp(join(tmpdir(), 'atomoe-old-'));
  made.push(path);
  await cp(`${WRITTEN}/cache`, path, { recursive: true }); // opening writes to it
  const asked: string[] = [];
  const offline: typeof fetch = (input) => {
    asked.push(input instanceof Request ? input.url : String(input));
    return Promise.reject(new TypeError('offline'));
  };
  const folder = await cachedFolder(openFolder(URL, { fetch: offline }), await openNodeStorage(path));
  const engine = await expectGolden(folder);
  engine.dispose();
  await folder.dispose();
  expect(asked.filter((url) => url.endsWith('.safetensors'))).toEqual([]);
});
