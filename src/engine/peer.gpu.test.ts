/** A made-up PEER model: the layer's numbers are checked by `fixtures/layers/peer`, this is the family around it. */
import { beforeAll, expect, test } from 'vitest';
import { f32Safetensors } from '../containers/safetensors.testing.ts';
import { memoryFolder } from '../io/memory.ts';
import type { FolderSource } from '../io/source.ts';
import { randomNormal } from '../kernels/testing.ts';
import type { LoadOptions } from './api.ts';
import { forced, runnerOf } from './streaming.testing.ts';
import { firstDifference, largestError, openEngine } from './testing.ts';

const CONFIG = {
  model_type: 'peer',
  vocab_size: 40,
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  hidden_act: 'gelu',
  tie_word_embeddings: true,
  num_experts: 4096,
  num_expert_heads: 2,
  num_experts_per_head: 3,
  expert_key_size: 8,
  query_norm: 'batch_norm',
  query_norm_eps: 1e-5,
};

const [HIDDEN, GRID, KEY, QUERY] = [32, 64, 8, 2 * 2 * 8];

function layerShapes(layer: number): [string, number[]][] {
  const at = `model.layers.${layer}.`;
  const square = [HIDDEN, HIDDEN];
  return [
    [`${at}input_layernorm.weight`, [HIDDEN]],
    ...['q', 'k', 'v', 'o'].map((name): [string, number[]] => [`${at}self_attn.${name}_proj.weight`, square]),
    [`${at}post_attention_layernorm.weight`, [HIDDEN]],
    [`${at}mlp.query.weight`, [QUERY, HIDDEN]],
    ...['running_mean', 'running_var', 'weight', 'bias'].map((name): [string, number[]] => [
      `${at}mlp.query_norm.${name}`,
      [QUERY],
    ]),
    [`${at}mlp.keys_x`, [GRID, KEY]],
    [`${at}mlp.keys_y`, [GRID, KEY]],
    [`${at}mlp.down_embed.weight`, [GRID * GRID, HIDDEN]],
    [`${at}mlp.up_embed.weight`, [GRID * GRID, HIDDEN]],
  ];
}

const SHAPES: [string, number[]][] = [
  ['model.embed_tokens.weight', [CONFIG.vocab_size, HIDDEN]],
  ...[0, 1].flatMap(layerShapes),
  ['model.norm.weight', [HIDDEN]],
];

const IDS = Array.from({ length: 30 }, (_, at) => (at * 11 + 2) % CONFIG.vocab_size);
const PROMPT_TOKENS = 20;

let folder: FolderSource;

beforeAll(() => {
  const tensors = SHAPES.map(([name, shape], seed) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const values = [...randomNormal(count, seed + 1, shape.length === 1 ? 1 : 0.3)];
    // A variance is above 0.
    return [
      name,
      { shape, values: name.endsWith('running_var') ? values.map((v) => v * v + 0.1) : values },
    ] as const;
  });
  folder = memoryFolder({
    'config.json': new TextEncoder().encode(JSON.stringify(CONFIG)),
    'model.safetensors': f32Safetensors(Object.fromEntries(tensors)),
  });
});

async function load(options: LoadOptions = {}, device?: 'cpu') {
  const engine = await openEngine(device ? { device } : {});
  await engine.load(folder, options);
  return engine;
}

test('says the same on GPU and CPU, with all experts and with some', async () => {
  const engine = await load();
  expect(engine.model).toMatchObject({ family: 'peer', experts: { layers: 2, perLayer: 4096, grid: 64 } });
  expect(engine.model?.plan).toMatchObject({ expertsPerToken: 6, unitsPerLayer: 64 });
  const resident = await forced(runnerOf(engine), IDS, PROMPT_TOKENS);
  engine.dispose();
  const cpu = await load({}, 'cpu');
  const want = (await cpu.logits(IDS)).subarray((PROMPT_TOKENS - 1) * CONFIG.vocab_size);
  cpu.dispose();
  expect(largestError(resident, want)).toBeLessThan(1e-3);
  const streamed = await load({ streaming: { slotsPerLayer: 6 } });
  expect(firstDifference(await forced(runnerOf(streamed), IDS, PROMPT_TOKENS), resident)).toBe('equal');
  streamed.dispose();
});

test('a config without what the router needs is refused by the key', async () => {
  const { expert_key_size: _, ...rest } = CONFIG;
  const file = (await folder.open('model.safetensors'))!;
  const lacking = memoryFolder({
    'config.json': new TextEncoder().encode(JSON.stringify(rest)),
    'model.safetensors': await file.read(0, file.sizeBytes),
  });
  const engine = await openEngine({ device: 'cpu' });
  await expect(engine.load(lacking)).rejects.toMatchObject({
    code: 'bad-file',
    message: expect.stringContaining('expert_key_size is missing'),
  });
  engine.dispose();
});
