/** The recorded story is what the shipped model tells, and few bytes. */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { createEngine } from '../../src/engine/index.ts';
import { nodeFolder } from '../../src/node.ts';
import { EMBEDDED } from '../sources.ts';
import { record } from './record.ts';
import { routesAt } from './recording.ts';
import { packRoutes, unpackRoutes } from './routes-text.ts';
import STORY from './story.json';

test('the recording is a run of the shipped model: npm run recording writes it again', async () => {
  const { adapter: _, atMs, ...told } = STORY;
  const { adapter: __, atMs: ___, ...again } = await record('reference');
  expect(told).toEqual(again);
  expect(atMs).toEqual(atMs.toSorted((a, b) => a - b));
  expect(atMs).toHaveLength(told.ids.length);
});

test('it is 10 kB at most, as a server sends it', () => {
  const text = readFileSync(new URL('story.json', import.meta.url));
  expect(gzipSync(text).byteLength).toBeLessThan(10_000);
});

test('each token has the experts that the model uses for one, each once', () => {
  for (let token = 0; token < STORY.texts.length; token++) {
    const { ids, weights } = routesAt(STORY, token);
    expect(ids).toHaveLength(STORY.experts.layers);
    for (const layer of ids) expect(new Set(layer).size).toBe(STORY.expertsPerToken);
    expect(weights.flat().reduce((sum, each) => sum + each)).toBeCloseTo(STORY.experts.layers);
  }
});

test('experts are read as they were written, in any order; what is no staircase is refused', () => {
  const corner = [0, 1, 2, 64, 65, 128]; // a grid of 64: three columns of row 0, two of row 1, one of row 2
  for (const ids of [corner, corner.toReversed(), [7], [4095, 63], [63, 4095]]) {
    expect(unpackRoutes(packRoutes(ids, 64), 64).sort((a, b) => a - b)).toEqual(
      ids.toSorted((a, b) => a - b),
    );
  }
  expect(() => packRoutes([0, 65], 64)).toThrow('no part of a staircase');
  expect(() => packRoutes([0], 65)).toThrow('a grid of 65 rows');
});

test('the sizes beside the names of the models are what loading downloads', async () => {
  const engine = await createEngine({ device: 'reference' });
  try {
    for (const { id, downloadBytes } of EMBEDDED) {
      const folder = await nodeFolder(new URL(`../public/models/${id}`, import.meta.url).pathname);
      expect((await engine.plan(folder)).bytes.download).toBe(downloadBytes);
    }
  } finally {
    engine.dispose();
  }
});
