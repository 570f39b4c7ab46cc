import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';

const modules = ['.', '../worker'].flatMap((folder) =>
  readdirSync(new URL(folder, import.meta.url))
    // The worker's entry runs in a worker and nowhere else.
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && name !== 'worker.ts')
    .map((name) => `${folder}/${name}`),
);

test.each(modules)('%s imports in plain Node, without a page', async (path) => {
  expect('document' in globalThis).toBe(false);
  await expect(import(path)).resolves.toBeDefined();
});
