/** Doge: the logits of transformers for a prompt in one pass, and of plain loops that let no token see a later one. */
import { describe, expect, test } from 'vitest';
import type { FolderSource } from '../io/source.ts';
import type { LoadOptions } from './api.ts';
import { dogeLogits } from './doge.testing.ts';
import { editedModel, type StoredTensor } from './edited-model.testing.ts';
import { uniform } from './talk/random.ts';
import {
  firstDifference,
  largestError,
  openEngine,
  readGolden,
  repositoryFolder,
  type FixtureGolden,
} from './testing.ts';

const TOLERANCE = 1e-4; // of logits, f32 against transformers in f32 and loops in f64
const PATH = 'fixtures/models/doge';

const folder = await repositoryFolder(PATH);
const golden = await readGolden<FixtureGolden>(folder);
const asTransformers = await editedModel(folder, { config: { router_split: 'prompt' } });
const causal = await dogeLogits(folder, golden.ids);

async function load(model: typeof folder, device: 'gpu' | 'cpu' | 'reference', options: LoadOptions = {}) {
  const engine = await openEngine(device === 'gpu' ? {} : { device });
  await engine.load(model, options);
  return engine;
}

describe.each(['gpu', 'cpu', 'reference'] as const)('on %s', (device) => {
  test('a prompt in one pass has the logits of transformers', async () => {
    const engine = await load(asTransformers, device);
    expect(largestError(await engine.logits(golden.ids, 'at-once'), golden.logits.flat())).toBeLessThan(
      TOLERANCE,
    );
    // One by one it is the split by tokens.
    expect(largestError(await engine.logits(golden.ids, 'one-by-one'), causal)).toBeLessThan(TOLERANCE);
    engine.dispose();
  });

  test('by default no token sees a later one, at once or one by one', async () => {
    const engine = await load(folder, device);
    expect(largestError(await engine.logits(golden.ids, 'at-once'), causal)).toBeLessThan(TOLERANCE);
    expect(largestError(await engine.logits(golden.ids, 'one-by-one'), causal)).toBeLessThan(TOLERANCE);
    engine.dispose();
  });
});

test('the two differ, but for a prompt of one token', () => {
  expect(largestError(causal, golden.logits.flat())).toBeGreaterThan(1e-2);
});

/** The same model with a grid of 64 x 64 experts, which are several pages. */
function withExperts(): Promise<FolderSource> {
  const hidden = 64;
  const random = (seed: number, rows: number): StoredTensor => {
    const values = Float32Array.from({ length: rows * hidden }, (_, at) => uniform(seed, at) - 0.5);
    return { dtype: 'F32', shape: [rows, hidden], bytes: new Uint8Array(values.buffer) };
  };
  return editedModel(folder, {
    config: { num_experts: 4096 },
    tensors: (tensors) => {
      for (const [index, name] of [...tensors.keys()].entries()) {
        if (name.endsWith('router_gate.weight')) tensors.set(name, random(index, 128));
        if (/(up|down)_embed\.weight$/.test(name)) tensors.set(name, random(index, 4096));
      }
    },
  });
}

test('few slots give the same bits', async () => {
  const model = await withExperts();
  const logits = async (options: LoadOptions) => {
    const engine = await load(model, 'gpu', options);
    const values = [
      await engine.logits(golden.ids, 'at-once'),
      await engine.logits(golden.ids, 'one-by-one'),
    ];
    const { unitsPerLayer, expertsPerToken } = engine.model?.plan ?? {};
    engine.dispose();
    return { values, unitsPerLayer, expertsPerToken };
  };
  const all = await logits({});
  expect(all.unitsPerLayer).toBeGreaterThan(16);
  const few = await logits({
    streaming: { start: 'now', fill: false, slotsPerLayer: all.expertsPerToken ?? 0 },
  });
  for (const [index, values] of few.values.entries())
    expect(firstDifference(values, all.values[index]!)).toBe('equal');
  const causalOfMany = await dogeLogits(model, golden.ids);
  for (const values of all.values) expect(largestError(values, causalOfMany)).toBeLessThan(TOLERANCE);
});

test('a context is at most the keys that are kept', async () => {
  const short = await editedModel(folder, { config: { keep_window_size: 16 } });
  const engine = await load(short, 'reference');
  expect(engine.model?.plan.contextTokens).toBe(16);
  engine.dispose();
});

test('without experts it has a dense MLP', async () => {
  const dense = await editedModel(folder, {
    config: { is_moe: false },
    tensors: (tensors) => {
      for (const name of tensors.keys()) if (/router_gate|(up|down)_embed/.test(name)) tensors.delete(name);
    },
  });
  const engine = await load(dense, 'reference');
  const logits = await engine.logits(golden.ids, 'at-once');
  expect(logits.every(Number.isFinite)).toBe(true);
  expect(largestError(logits, causal)).toBeGreaterThan(1e-3);
  engine.dispose();
});
