/** What the page says of its models before anything of them is read. */
import { describe, expect, test } from 'vitest';
import { join } from 'node:path';
import { createEngine } from '../src/engine/index.ts';
import { nodeFolder } from '../src/io/node-file.ts';
import { EMBEDDED, suggestModel, type ModelFacts } from './sources.ts';

describe('the models of the page', () => {
  test.each(EMBEDDED)('$name is what its files say', async ({ id, ...facts }) => {
    const engine = await createEngine({ device: 'reference' });
    const { family, bytes } = await engine.plan(
      await nodeFolder(join(import.meta.dirname, 'public/models', id)),
    );
    engine.dispose();
    expect({ family, downloadBytes: bytes.download }).toEqual({
      family: facts.family,
      downloadBytes: facts.downloadBytes,
    });
    // Work in progress differs between devices: a tenth at most.
    expect(Math.abs(bytes.gpuTotal / facts.holdBytes - 1)).toBeLessThan(0.1);
    expect(Math.abs(bytes.least / facts.leastBytes - 1)).toBeLessThan(0.1);
  });
});

describe('a suggestion', () => {
  const model = (
    name: string,
    holdBytes: number,
    leastBytes: number,
  ): { name: string; facts: ModelFacts } => ({
    name,
    facts: { family: 'f', downloadBytes: holdBytes, holdBytes, leastBytes, licence: undefined },
  });
  const models = [model('small', 10, 5), model('large', 100, 20), { name: 'unknown', facts: undefined }];

  test('the largest that fits whole, else the largest that can be streamed', () => {
    expect(suggestModel(models, 200)?.name).toBe('large');
    expect(suggestModel(models, 50)?.name).toBe('small');
    expect(suggestModel([model('large', 100, 20)], 50)?.name).toBe('large');
    expect(suggestModel(models, 4)).toBeUndefined();
  });
});
