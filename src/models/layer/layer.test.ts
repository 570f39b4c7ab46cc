/** Descriptions of layers: those of fixtures/routing are read, and the wrong ones are refused with the path. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openSafetensors } from '../../containers/safetensors/open.ts';
import { nodeFolder } from '../../io/node-file.ts';
import { mostOf, seesOf } from './check.ts';
import { parseLayer, problemsOfKeys } from './layer.ts';

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

const linear = { kind: 'linear', weight: 'router.weight' };
const softmax = [{ kind: 'softmax' }];

/** The rules that sections 10 and 12 of the format write as routers, and the number of routes of each. */
test.each([
  [
    'DeepSeek-V3',
    8,
    {
      score: linear,
      transform: [{ kind: 'sigmoid' }],
      select: {
        kind: 'topK',
        k: 8,
        bias: 'router.selectionBias',
        groups: { count: 8, keep: 4, by: 'sumOfTopTwo' },
      },
      weigh: { normalise: 'sum', epsilon: 1e-20, scale: 2.5 },
    },
  ],
  ['Dynamic_MoE', 64, { score: linear, transform: softmax, select: { kind: 'topP', p: 0.4 } }],
  ['ReMoE', 64, { score: linear, transform: [{ kind: 'relu' }], select: { kind: 'positive' } }],
  [
    'AdaMoE',
    3,
    {
      ...{ score: linear, nullExperts: 8, nullWeight: 'router.nullWeight', transform: softmax },
      ...{ select: { kind: 'topK', k: 3 }, weigh: { normalise: 'sum' } },
    },
  ],
  [
    'MoDES',
    6,
    {
      ...{ score: linear, transform: softmax },
      select: {
        kind: 'topK',
        k: 6,
        drop: [{ kind: 'belowThreshold', scale: 0.8, thresholds: [0.05, 0.1], by: 'modality' }],
      },
    },
  ],
  [
    'expert choice',
    64,
    {
      ...{ score: linear, transform: softmax, select: { kind: 'expertChoice', factor: 2 } },
      scope: { sees: 'sequence' },
    },
  ],
  [
    'routing by language',
    1,
    {
      ...{ score: { kind: 'caller', name: 'languageScores' }, select: { kind: 'topK', k: 1 } },
      ...{ weigh: { from: 'one' }, scope: { decision: 'model' } },
    },
  ],
])('%s is read, with at most %i routes', (_name, most, router) => {
  const layer = parseLayer({ format: 'atomoe.layer', version: 1, hiddenSize: 8, experts: 64, router });
  expect(mostOf(layer)).toBe(most);
});

/** A key or entry within JSON: its path, and a copy of the whole with another value there. */
interface Place {
  readonly path: string;
  readonly isObject: boolean;
  readonly value: unknown;
  readonly with: (value: unknown) => unknown;
}

/** Every value within a description, in the order of the text. */
function placesOf(value: unknown, path = '', rebuild = (other: unknown): unknown => other): Place[] {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  const own: Place = { path, isObject, value, with: rebuild };
  if (Array.isArray(value)) {
    const at = (index: number) => (other: unknown) => rebuild(value.with(index, other));
    return [own, ...value.flatMap((each, index) => placesOf(each, `${path}.${index}`, at(index)))];
  }
  if (!isObject) return [own];
  const at = (key: string) => (other: unknown) => rebuild({ ...value, [key]: other });
  return [own, ...Object.entries(value).flatMap(([key, each]) => placesOf(each, `${path}.${key}`, at(key)))];
}

const messageOf = (description: unknown): string => {
  try {
    parseLayer(description);
  } catch (error) {
    return String((error as Error).message);
  }
  return 'read';
};

test.each(FILES)('%s: another key, or another type of value, is refused anywhere', async (name) => {
  const places = placesOf(await descriptionOf(name)).map((place) => ({
    ...place,
    path: place.path.slice(1),
  }));
  const wrong: string[] = [];
  for (const { path, isObject, value, ...place } of places) {
    if (path === '') continue;
    const message = messageOf(place.with(null));
    if (!message.startsWith(`${path} `)) wrong.push(`${path} null: ${message}`);
    if (!isObject) continue;
    const other = messageOf(place.with({ ...(value as object), misspelt: 1 }));
    if (!other.startsWith(`${path}.misspelt `)) wrong.push(`${path}.misspelt: ${other}`);
  }
  expect(wrong).toEqual([]);
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

test('docs/ROUTING.md has every kind that the files have', async () => {
  const page = readFileSync('docs/ROUTING.md', 'utf8');
  const descriptions = await Promise.all(FILES.map(descriptionOf));
  const kinds = descriptions.flatMap((description) =>
    placesOf(description).flatMap(({ value, path }) => (path.endsWith('.kind') ? [String(value)] : [])),
  );
  expect([...new Set(kinds)].filter((kind) => !page.includes(`\`${kind}\``))).toEqual([]);
});

test('all that is wrong with keys is told, in their order', () => {
  const description = {
    ...{ format: 'atomoe.layer', version: 2, hiddenSize: 4, experts: 2, width: 3, hooks: 5 },
    router: {
      score: { kind: 'linear' },
      transform: [{ kind: 'softmax' }, { kind: 'soft' }, 7],
      select: 'all',
    },
  };
  const paths = problemsOfKeys(description).map(({ message }) => message.split(' is ')[0]);
  expect(paths).toEqual([
    'width',
    'router.score.weight',
    'router.transform.1.kind',
    'router.transform.2',
    'router.select',
    'version',
    'hooks',
  ]);
  expect(() => parseLayer(description)).toThrow(/^width is 3/); // one at a time again
});

test.each(FILES)('%s has no problems', async (name) => {
  expect(problemsOfKeys(await descriptionOf(name))).toEqual([]);
});
