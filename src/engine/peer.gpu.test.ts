/** A made-up PEER model: the layer's numbers are checked by `fixtures/layers/peer`, this is the family around it. */
import { expect, test } from 'vitest';
import { memoryFolder } from '../io/memory.ts';
import type { LoadOptions } from './api.ts';
import { PEER_CONFIG, peerFiles } from './peer-model.testing.ts';
import { forced } from './streaming.testing.ts';
import { firstDifference, largestError, openEngine } from './testing.ts';

const IDS = Array.from({ length: 30 }, (_, at) => (at * 11 + 2) % PEER_CONFIG.vocab_size);
const PROMPT_TOKENS = 20;

const folder = memoryFolder(peerFiles());

async function load(options: LoadOptions = {}, device?: 'cpu' | 'reference') {
  const engine = await openEngine(device ? { device } : {});
  await engine.load(folder, options);
  return engine;
}

test('says the same on GPU and CPU, with all experts and with some', async () => {
  const engine = await load();
  expect(engine.model).toMatchObject({ family: 'peer', experts: { layers: 2, perLayer: 4096, grid: 64 } });
  expect(engine.model?.plan).toMatchObject({ expertsPerToken: 6, unitsPerLayer: 64 });
  const resident = await forced(engine.runner, IDS, PROMPT_TOKENS);
  engine.dispose();
  const cpu = await load({}, 'reference');
  const want = (await cpu.logits(IDS)).subarray((PROMPT_TOKENS - 1) * PEER_CONFIG.vocab_size);
  cpu.dispose();
  expect(largestError(resident, want)).toBeLessThan(1e-3);
  const streamed = await load({ streaming: { slotsPerLayer: 6 } });
  expect(firstDifference(await forced(streamed.runner, IDS, PROMPT_TOKENS), resident)).toBe('equal');
  streamed.dispose();
});

test('a config without what the router needs is refused by the key', async () => {
  const { expert_key_size: _, ...rest } = PEER_CONFIG;
  const config = new TextEncoder().encode(JSON.stringify(rest));
  const lacking = memoryFolder({ ...peerFiles(), 'config.json': config });
  const engine = await openEngine({ device: 'cpu' });
  await expect(engine.load(lacking)).rejects.toMatchObject({
    code: 'bad-file',
    message: expect.stringContaining('expert_key_size is missing'),
  });
  engine.dispose();
});
