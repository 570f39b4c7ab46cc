import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { GraphBuilder } from '../graph/builder.ts';
import type { ConfigValues } from '../models/config.ts';
import { parseModel } from '../models/registry.ts';
import { buildDecoder } from './decoder.ts';
import { loadBlocks } from './table.ts';

const CONFIG = JSON.parse(readFileSync('fixtures/models/olmoe/config.json', 'utf8')) as ConfigValues;

test('a layer may have two blocks of a kind: each has its own states, labels and routes', async () => {
  const { spec } = await parseModel(CONFIG, 'olmoe');
  const layers = spec.layers
    .slice(0, 2)
    .map(({ sublayers }) => ({ sublayers: [...sublayers, ...sublayers] }));
  const purpose = { logits: 'all', sample: false, contextTokens: 8, lookahead: 2 } as const;
  const blocks = await loadBlocks({ layers });
  const { tensors, nodes, routes } = buildDecoder({ ...spec, layers }, purpose, new GraphBuilder(), blocks);
  const names = tensors.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  const labels = nodes.map(({ op, label }) => `${op} ${label}`);
  expect(new Set(labels).size).toBe(labels.length);
  expect(names.filter((name) => name.endsWith(' keys'))).toEqual([
    'layer 0 keys',
    'layer 0.1 keys',
    'layer 1 keys',
    'layer 1.1 keys',
  ]);
  expect(routes.map(({ bank, look }) => [bank, look.length])).toEqual([
    [0, 2],
    [1, 2],
    [2, 1],
    [3, 0],
  ]);
});
