/** Experts that a file stores in several types: what each part of a record becomes, and that nothing loses a bit. */
import { expect, test } from 'vitest';
import { formatsText } from '../weights/record.ts';
import type { LoadOptions } from './api.ts';
import { editedModel, rounded, type Edits } from './edited-model.testing.ts';
import type { EngineOptions } from './engine.ts';
import { draftModel } from './load/planning.ts';
import { densePartsOf } from './load/weights.ts';
import {
  firstDifference,
  largestError,
  openEngine,
  readGolden,
  repositoryFolder,
  type FixtureGolden,
} from './testing.ts';

const TENSOR = /layers\.(\d)\..*experts\.(\d)\.(w[123])\.weight$/; // w1 gate, w3 up, w2 down

type IsHalf = (layer: number, expert: number, matrix: string) => boolean;

/** All experts rounded to bf16, and stored as that where `isHalf` says so. */
const stored = (isHalf: IsHalf): Edits => ({
  tensors: (tensors) => {
    for (const [name, tensor] of tensors) {
      const [, layer, expert, matrix = ''] = TENSOR.exec(name) ?? [];
      if (layer === undefined) continue;
      const as = isHalf(Number(layer), Number(expert), matrix) ? 'BF16' : 'F32';
      tensors.set(name, rounded(tensor, 'BF16', as));
    }
  },
});

async function model(isHalf: IsHalf) {
  return editedModel(await repositoryFolder('fixtures/models/mixtral'), stored(isHalf));
}

const golden = await readGolden<FixtureGolden>(await repositoryFolder('fixtures/models/mixtral'));

async function logits(isHalf: IsHalf, engineOptions: EngineOptions, options: LoadOptions = {}) {
  const engine = await openEngine(engineOptions);
  try {
    await engine.load(await model(isHalf), options);
    return [await engine.logits(golden.ids, 'at-once'), await engine.logits(golden.ids, 'one-by-one')];
  } finally {
    engine.dispose();
  }
}

/** A layer has the formats of its own tensors. */
test.each<[string, IsHalf, formats: string, last?: string]>([
  ['all alike', () => true, 'bf16'],
  ['down in f32', (_layer, _expert, matrix) => matrix !== 'w2', 'gate bf16, up bf16, down f32'],
  ['up in f32', (_layer, _expert, matrix) => matrix !== 'w3', 'gate f32, up f32, down bf16'],
  ['one expert of a layer in f32', (_layer, expert) => expert !== 1, 'f32'],
  ['one gate in f32', (l, e, m) => l + e > 0 || m !== 'w1', 'gate f32, up f32, down bf16', 'bf16'],
  ['one layer in f32', (layer) => layer !== 2, 'bf16', 'f32'],
  ['one down of one layer in f32', (l, _e, m) => l < 2 || m !== 'w2', 'bf16', 'gate bf16, up bf16, down f32'],
])('%s', async (_what, isHalf, formats, last = formats) => {
  const drafted = await draftModel(await model(isHalf), {});
  expect(formatsText(drafted.experts!.layout(0))).toBe(formats);
  expect(formatsText(drafted.experts!.layout(2))).toBe(last);
  drafted.checkpoint.dispose();

  const [onCpu = new Float32Array()] = await logits(isHalf, { device: 'reference' });
  const [wanted = new Float32Array()] = await logits(() => false, { device: 'reference' });
  expect(firstDifference(onCpu, wanted)).toBe('equal');

  const onGpu = await logits(isHalf, {});
  for (const each of onGpu) expect(largestError(each, onCpu)).toBeLessThan(1e-4);
  const streamed = await logits(isHalf, {}, { streaming: { slotsPerLayer: 2 } });
  for (const [i, each] of streamed.entries()) {
    expect(firstDifference(each, onGpu[i] ?? new Float32Array())).toBe('equal');
  }
});

test('as hardware', async () => {
  const isHalf: IsHalf = (_layer, _expert, matrix) => matrix !== 'w2';
  const [onCpu = new Float32Array()] = await logits(isHalf, { device: 'reference' });
  for (const each of await logits(isHalf, { device: 'gpu', adapterClass: 'hardware' })) {
    expect(largestError(each, onCpu)).toBeLessThan(1e-4);
  }
});

/** Keys in bf16 beside queries and values in f32: one product with three matrices. */
const mixedKeys = (as: 'BF16' | 'F32'): Edits => ({
  tensors: (tensors) => {
    for (const [name, tensor] of tensors)
      if (name.includes('k_proj')) tensors.set(name, rounded(tensor, 'BF16', as));
  },
});

test('dense matrices that are read together keep their formats', async () => {
  const folder = async (as: 'BF16' | 'F32') =>
    editedModel(await repositoryFolder('fixtures/models/mixtral'), mixedKeys(as));
  const { decode, context, checkpoint } = await draftModel(await folder('BF16'), {});
  const formats = new Set(
    decode.weights.map((weight) =>
      densePartsOf(weight, context)
        .map(({ format }) => format)
        .join(' '),
    ),
  );
  expect([...formats]).toEqual(expect.arrayContaining(['f32 bf16 f32', 'f32']));
  checkpoint.dispose();

  const run = async (as: 'BF16' | 'F32', engineOptions: EngineOptions) => {
    const engine = await openEngine(engineOptions);
    await engine.load(await folder(as));
    const all = [await engine.logits(golden.ids, 'at-once'), await engine.logits(golden.ids, 'one-by-one')];
    engine.dispose();
    return all;
  };
  const [wanted = new Float32Array()] = await run('F32', { device: 'reference' });
  for (const options of [
    { device: 'gpu' },
    { device: 'gpu', adapterClass: 'hardware' },
    { device: 'cpu' },
  ] satisfies EngineOptions[])
    for (const each of await run('BF16', options)) expect(largestError(each, wanted)).toBeLessThan(1e-4);
  for (const each of await run('BF16', { device: 'reference' }))
    expect(firstDifference(each, wanted)).toBe('equal');
});
