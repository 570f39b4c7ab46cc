/** Descriptions of layers: those of fixtures/routing are read, and the wrong ones are refused with the path. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openSafetensors } from '../../containers/safetensors.ts';
import { nodeFolder } from '../../io/node-file.ts';
import { mostOf, seesOf } from './check.ts';
import { parseLayer } from './layer.ts';

const FOLDER = 'fixtures/routing';
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.safetensors'));
const INVALID = JSON.parse(readFileSync(`${FOLDER}/invalid.json`, 'utf8')) as {
  path: string;
  why: string;
  description: unknown;
}[];

async function descriptionOf(name: string): Promise<Record<string, unknown>> {
  const file = await openSafetensors((await (await nodeFolder(FOLDER)).open(name))!);
  const description = JSON.parse(file.metadata['atomoe.layer'] ?? '') as Record<string, unknown>;
  file.dispose();
  return description;
}

test('all 93 are here', () => {
  expect(FILES).toHaveLength(93);
  expect(INVALID).toHaveLength(35);
});

test.each(FILES)('%s is read', async (name) => {
  const description = await descriptionOf(name);
  const layer = parseLayer(description);
  expect(layer.hiddenSize).toBe(description['hiddenSize']);
  const { most, ...rest } = description;
  if (most === undefined || !layer.router) return;
  // What a file has to say is what follows without it, but for ids that only the request knows.
  const derived = mostOf(parseLayer(rest));
  if (layer.router.select.kind === 'ids') expect(derived).toBeGreaterThanOrEqual(Number(most));
  else expect(derived).toBe(most);
});

test.each(INVALID)('refused at $path: $why', ({ path, description }) => {
  const text = path.replaceAll(/[.\\]/g, '\\$&');
  expect(() => parseLayer(description)).toThrow(new RegExp(`^${text} (is|is missing)`));
});

test.each([
  [{ scope: { unit: 'segment', segmentLength: 4, pool: 'first', sees: 'prefix' } }, 'prefix'],
  [{ capacity: { tokensPerExpert: 2 }, scope: { sees: 'prefix' } }, 'prefix'],
  [{ capacity: { factor: 1, over: 'batch' }, scope: { sees: 'batch' } }, 'batch'],
  [{ scope: { unit: 'sequence', sees: 'prompt' } }, 'prompt'],
  [{ transform: [{ kind: 'mixTokens', name: 'a' }], scope: { sees: 'sequence' } }, 'prefix'],
  [{}, 'token'],
])('what a router with %j depends on', (more, sees) => {
  const router = { score: { kind: 'linear', weight: 'w' }, select: { kind: 'topK' }, ...more };
  const layer = parseLayer({ format: 'atomoe.layer', version: 1, hiddenSize: 8, experts: 4, router });
  expect(seesOf(layer.router!)).toBe(sees);
});
