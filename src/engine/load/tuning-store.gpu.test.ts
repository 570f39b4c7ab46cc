import { expect, test } from 'vitest';
import { indexedDbTuning } from './tuning-store.ts';

test('what was measured is read again, per adapter, and by another opening', async () => {
  const adapter = `test ${crypto.randomUUID()}`;
  const store = indexedDbTuning();
  expect(await store?.read(adapter)).toEqual(new Map());
  await store?.write(adapter, new Map([['linear 192x384', 'rows4']]));
  expect(await indexedDbTuning()?.read(adapter)).toEqual(new Map([['linear 192x384', 'rows4']]));
  expect(await store?.read(`${adapter} other`)).toEqual(new Map());
});

test('where there is no database there is no store', () => {
  const nothing = null as unknown as undefined;
  expect(indexedDbTuning(nothing)).toBeUndefined();
});
