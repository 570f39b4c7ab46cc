/** GGUF files give the logits of the checkpoints that they were made of, whole and with few experts in memory. */
import { describe, expect, test } from 'vitest';
import { remadeModel } from './remade-model.testing.ts';
import {
  fixtureTolerance,
  firstDifference,
  largestError,
  openEngine,
  readGolden,
  repositoryFolder,
  type FixtureGolden,
} from './testing.ts';

const TOLERANCE = 1e-4; // of logits, against those of the dequantised weights in f32

const FILES = [
  ...['olmoe', 'mixtral', 'granitemoe', 'granitemoeshared', 'qwen2_moe', 'qwen3_moe', 'dots1', 'glm4_moe'],
  ...['ernie4_5_moe', 'hunyuan_v1_moe', 'minimax_m2', 'gpt_oss', 'lfm2_moe'],
  ...['deepseek_v2', 'deepseek_v3', 'glm4_moe_lite', 'solar_open', 'exaone_moe', 'granitemoehybrid'],
  ...['qwen3_next', 'qwen3_5_moe_text', 'nemotron_h', 'gemma4_text', 'llama4_text'],
] as const;

describe.each(FILES)('%s.gguf', (family) => {
  const load = async (device: 'gpu' | 'cpu') => {
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    await engine.load(await repositoryFolder(`fixtures/gguf/${family}.gguf`));
    return engine;
  };

  test.each(['gpu', 'cpu'] as const)('logits equal the golden file on %s', async (device) => {
    const golden = await readGolden<FixtureGolden>(await repositoryFolder(`fixtures/models/${family}`));
    const engine = await load(device);
    const want = golden.logits.flat();
    const tolerance = fixtureTolerance(family);
    expect(largestError(await engine.logits(golden.ids, 'at-once'), want)).toBeLessThan(tolerance);
    expect(largestError(await engine.logits(golden.ids, 'one-by-one'), want)).toBeLessThan(tolerance);
    engine.dispose();
  });

  // The same experts from safetensors do so in fixtures.gpu.test.ts.
  test('the smallest pool gives the same bits', { tags: ['full'] }, async () => {
    const { ids } = await readGolden<FixtureGolden>(await repositoryFolder(`fixtures/models/${family}`));
    const engine = await load('gpu');
    const whole = await engine.logits(ids, 'one-by-one');
    await engine.resize({ streaming: { slotsPerLayer: 2 } });
    expect(firstDifference(await engine.logits(ids, 'one-by-one'), whole)).toBe('equal');
    engine.dispose();
  });
});

test.each(['gpu', 'cpu'] as const)(
  'phimoe.gguf has the bits of the checkpoint, but for the amplitude of positions that the converter writes, on %s',
  async (device) => {
    const folder = await repositoryFolder('fixtures/models/phimoe');
    const { rope_parameters: rope } = await readGolden<{ rope_parameters: object }>(folder, 'config.json');
    const both = { short_mscale: 1.0801234245300293, long_mscale: 1.0801234245300293 };
    const checkpoint = await remadeModel(folder, { config: { rope_parameters: { ...rope, ...both } } });
    const { ids } = await readGolden<FixtureGolden>(folder);
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    await engine.load(checkpoint);
    const wanted = await engine.logits(ids, 'at-once');
    await engine.load(await repositoryFolder('fixtures/gguf/phimoe.gguf'));
    expect(firstDifference(await engine.logits(ids, 'at-once'), wanted)).toBe('equal');
    const oneByOne = await engine.logits(ids, 'one-by-one');
    expect(largestError(oneByOne, wanted)).toBeLessThan(TOLERANCE);
    await engine.resize({ streaming: { slotsPerLayer: 2 } });
    expect(firstDifference(await engine.logits(ids, 'one-by-one'), oneByOne)).toBe('equal');
    engine.dispose();
  },
);

/** Models whose matrices are in several formats, with the logits of the dequantised weights. */
describe.each(['qwen3moe-q4_0', 'olmoe-q4_k_m', 'qwen2moe-mixed'] as const)('%s.gguf', (name) => {
  const at = `fixtures/gguf-quant/${name}`;
  const golden = async () => {
    const folder = await repositoryFolder('fixtures/gguf-quant');
    return readGolden<FixtureGolden>(folder, `${name}.golden.json`);
  };

  test.each(['gpu', 'cpu', 'reference'] as const)('logits equal the golden file on %s', async (device) => {
    const { ids, logits } = await golden();
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    await engine.load(await repositoryFolder(`${at}.gguf`));
    expect(largestError(await engine.logits(ids, 'at-once'), logits.flat())).toBeLessThan(TOLERANCE);
    expect(largestError(await engine.logits(ids, 'one-by-one'), logits.flat())).toBeLessThan(TOLERANCE);
    engine.dispose();
  });

  test('the smallest pool gives the same bits', async () => {
    const { ids } = await golden();
    const engine = await openEngine();
    await engine.load(await repositoryFolder(`${at}.gguf`));
    const whole = await engine.logits(ids, 'one-by-one');
    await engine.resize({ streaming: { slotsPerLayer: 2 } });
    expect(firstDifference(await engine.logits(ids, 'one-by-one'), whole)).toBe('equal');
    engine.dispose();
  });
});
