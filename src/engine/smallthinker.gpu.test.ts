/** SmallThinker: logits of plain loops from folders and GGUF files, with routers that read the stream before attention. */
import { describe, expect, test } from 'vitest';
import {
  SMALLTHINKER_CONFIG,
  smallThinkerFolder,
  smallThinkerGguf,
  smallThinkerLogits,
} from './smallthinker-model.testing.ts';
import { forced } from './streaming.testing.ts';
import { firstDifference, largestError, openEngine } from './testing.ts';

const TOLERANCE = 1e-4; // of logits, f32 against f64
const IDS = Array.from({ length: 20 }, (_, at) => (at * 37 + 5) % SMALLTHINKER_CONFIG.vocab_size);

describe.each([false, true])('with softmax: %s', (isSoftmax) => {
  const wanted = smallThinkerLogits(IDS, isSoftmax);
  const models = {
    folder: () => smallThinkerFolder({ moe_primary_router_apply_softmax: isSoftmax }),
    gguf: () => smallThinkerGguf(isSoftmax),
  };

  test.each([
    ['gpu', 'folder'],
    ['gpu', 'gguf'],
    ['cpu', 'folder'],
    ['cpu', 'gguf'],
    ['reference', 'folder'],
  ] as const)('logits on %s from a %s', async (device, model) => {
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    await engine.load(models[model]());
    expect(largestError(await engine.logits(IDS, 'at-once'), wanted)).toBeLessThan(TOLERANCE);
    expect(largestError(await engine.logits(IDS, 'one-by-one'), wanted)).toBeLessThan(TOLERANCE);
    engine.dispose();
  });

  test('the weights of the other rule are others', () => {
    expect(largestError(smallThinkerLogits(IDS, !isSoftmax), wanted)).toBeGreaterThan(1e-2);
  });
});

test('few slots give the same bits', async () => {
  const bits = async (slotsPerLayer: number) => {
    const engine = await openEngine();
    await engine.load(smallThinkerFolder(), { streaming: { slotsPerLayer } });
    const logits = await forced(engine.runner, IDS, 12);
    engine.dispose();
    return logits;
  };
  const all = await bits(SMALLTHINKER_CONFIG.moe_num_primary_experts);
  expect(firstDifference(await bits(SMALLTHINKER_CONFIG.moe_num_active_primary_experts), all)).toBe('equal');
});

test.each([
  [{ moe_enable_early_router: false }, /moe_enable_early_router false/],
  [{ use_qk_norm: true }, /use_qk_norm true/],
  [{ moe_layer_layout: [1, 1, 1, 1, 0] }, /moe_layer_layout with 0/],
  [{ rope_layout: [1, 1] }, /the length of rope_layout is 2/],
  [{ sliding_window_layout: [0, 1, 2, 0, 1] }, /sliding_window_layout with 2/],
])('%o is refused', async (config, message) => {
  const engine = await openEngine({ device: 'reference' });
  await expect(engine.load(smallThinkerFolder(config))).rejects.toThrow(message);
  engine.dispose();
});
