import { expect, test } from 'vitest';
import { ARCHITECTURE_NAMES, loadArchitecture } from './architectures.ts';
import type { GgufKeys } from './keys.ts';

/** A file of one layer that says nothing. */
const keys = { layers: 1, hasTensor: () => false, optionalCount: () => undefined } as unknown as GgufKeys;

test.each(ARCHITECTURE_NAMES)('%s is in the file that its row names', async (name) => {
  expect(await loadArchitecture(name, keys)).toMatchObject({ modelType: expect.stringMatching(/^\w+$/) });
});

test('what is on every object is no architecture', async () => {
  expect(await loadArchitecture('constructor', keys)).toBeUndefined();
});
