import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { GraphBuilder } from '../graph/builder.ts';
import { PEER_CONFIG } from '../engine/peer-model.testing.ts';
import { REFERENCES } from '../graph/references.ts';
import type { ConfigValues } from '../models/config.ts';
import { parseModel } from '../models/registry.ts';
import { buildDecoder } from './decoder.ts';
import { describedNodes } from './described/described.testing.ts';
import { buildGraph, readModel } from './family.ts';
import { openHooks } from './hooks.ts';
import { loadBlocks } from './table.ts';

const CONFIG = JSON.parse(readFileSync('fixtures/models/olmoe/config.json', 'utf8')) as ConfigValues;

test('two blocks of a kind in one layer have separate states, labels and routes', async () => {
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

test('each op has a reference, and each reference an op', async () => {
  const read = (folder: string) => JSON.parse(readFileSync(`${folder}/config.json`, 'utf8')) as ConfigValues;
  const configs = [
    read('fixtures/models/qwen2_moe'),
    read('fixtures/models/lfm2_moe'),
    read('fixtures/models/qwen3_next'),
    read('fixtures/models/granitemoehybrid'),
    read('fixtures/models/phimoe'),
    read('fixtures/models/gemma4_text'),
    read('fixtures/models/llama4_text'),
    read('fixtures/models/deepseek_v3'),
    read('fixtures/models/doge'),
    read('demo/public/models/fable-omni-8m'),
    PEER_CONFIG as ConfigValues,
  ];
  const ops = new Set<string>();
  for (const config of configs) {
    const model = await readModel(config, 'model');
    for (const [logits, hooks] of [['all'], ['last'], ['all', openHooks]] as const) {
      const purpose = { logits, hooks, sample: true, contextTokens: 8, skipBelow: 0.1 };
      for (const { op } of buildGraph(model, purpose).nodes) ops.add(op);
    }
  }
  for (const { op } of describedNodes()) ops.add(op);
  // Of rules that keep something of earlier tokens: routing-earlier.gpu.test.ts builds and runs them.
  for (const op of ['expert-room', 'held-rows', 'prompt-rows']) ops.add(op);
  expect([...ops].sort()).toEqual(Object.keys(REFERENCES).sort());
});
