/** The router and the expert kind of `examples/`, in a fixture model: all devices agree, and streaming changes no bit. */
import { describe, expect, test } from 'vitest';
import type { ExpertKind, Router } from '../blocks/block.ts';
import type { ModelFamily } from '../blocks/family.ts';
import type { OwnBlocks } from '../blocks/table.ts';
import type { FolderSource } from '../io/source.ts';
import { stageOf } from '../kernels/routing/stages/index.ts';
import { builtInFamily } from '../models/registry.ts';
import { isMoe, type MoeSpec } from '../models/spec.ts';
import type { LoadOptions } from './api.ts';
import { editedModel, type StoredTensors } from './edited-model.testing.ts';
import type { LocalEngine } from './engine.ts';
import { forced } from './streaming.testing.ts';
import { firstDifference, largestError, openEngine, readGolden, repositoryFolder } from './testing.ts';

const [WIDTH, KEPT, PROMPT_TOKENS] = [32, 20, 12];

const files = import.meta.glob('../../examples/{router/sparsemax,expert-kind/slim}.js', { eager: true });
const own = (name: string) => Object.assign({}, ...Object.values(files))[name] as unknown;
const sparsemax = own('sparsemax') as Router;
const slim = own('slim') as ExpertKind;

const folder = await repositoryFolder('fixtures/models/qwen3_moe');
const { ids, logits } = await readGolden<{ ids: number[]; logits: number[][] }>(folder);

/** The model with other blocks in its layers. */
async function edited(blocks: OwnBlocks, edit: (moe: MoeSpec) => MoeSpec): Promise<ModelFamily> {
  const family = await builtInFamily('qwen3_moe');
  return {
    ...family,
    blocks,
    parse(config, file) {
      const spec = family.parse(config, file);
      const layers = spec.layers.map(({ sublayers }) => ({
        sublayers: sublayers.map((each) => (isMoe(each.block) ? { ...each, block: edit(each.block) } : each)),
      }));
      return { ...spec, layers };
    },
  };
}

const sparse = await edited({ routers: [sparsemax] }, (moe) => ({
  ...moe,
  router: { ...moe.router, score: { ...moe.router.score, kind: 'sparsemax' } },
}));

const slimmed = (keep: number) =>
  edited({ experts: [slim] }, (moe) => ({ ...moe, expert: { ...moe.expert, kind: 'slim', keep } as never }));

/** The model with larger router logits, so that some affinities are 0, or with the last neurons of its experts silenced. */
const decided = await change(/mlp\.gate\.weight$/, (value) => 30 * value);
const silenced = await change(/down_proj/, (value, at) => (at % WIDTH < KEPT ? value : 0));

function change(names: RegExp, by: (value: number, at: number) => number): Promise<FolderSource> {
  const tensors = (all: StoredTensors) => {
    for (const [name, tensor] of all) {
      if (!names.test(name)) continue;
      const { buffer } = Float32Array.from(new Float32Array(tensor.bytes.slice().buffer), by);
      all.set(name, { ...tensor, bytes: new Uint8Array(buffer) });
    }
  };
  return editedModel(folder, { tensors });
}

type Device = 'gpu' | 'cpu' | 'reference';

async function load(
  family: ModelFamily | undefined,
  model: FolderSource,
  device: Device = 'gpu',
  options: LoadOptions = {},
): Promise<LocalEngine> {
  const engine = await openEngine({
    ...(family ? { families: [family] } : {}),
    ...(device === 'gpu' ? {} : { device }),
  });
  await engine.load(model, options);
  return engine;
}

async function logitsOf(...given: Parameters<typeof load>): Promise<Float32Array> {
  const engine = await load(...given);
  const all = await engine.logits(ids);
  engine.dispose();
  return all;
}

async function sameStreamed(family: ModelFamily, model: FolderSource, device: Device): Promise<void> {
  const resident = await load(family, model, device);
  const want = await forced(resident.runner, ids, PROMPT_TOKENS);
  resident.dispose();
  const streamed = await load(family, model, device, { streaming: { slotsPerLayer: 2 } });
  expect(firstDifference(await forced(streamed.runner, ids, PROMPT_TOKENS), want)).toBe('equal');
  expect(await streamed.streaming()).toMatchObject({ unitsPerLayer: 8, slotsPerLayer: 2 });
  streamed.dispose();
}

describe('sparsemax', () => {
  test('affinities above 0 sum to 1, and the others are never chosen', () => {
    const row = Float64Array.of(0.8, -1, 1, 0.1);
    stageOf('score', 'sparsemax').reference(row, { eps: 0, scale: 1, groups: 1, keep: 1 });
    // t = (1 + 0.8 - 1) / 2
    expect([...row].map((value) => value.toFixed(6))).toEqual([
      '0.400000',
      (-3e38).toFixed(6),
      '0.600000',
      (-3e38).toFixed(6),
    ]);
  });

  test('some tokens have fewer experts than the model would take', async () => {
    const engine = await load(sparse, decided);
    const { runner } = engine;
    const state = await runner.openState();
    const request = { penalty: 1, temperature: 1, candidates: false, routes: false };
    await runner.step(state, { ...request, ids, past: 0 });
    const trace = await runner.trace(state);
    state.dispose();
    engine.dispose();
    const counts = trace.flatMap((token) =>
      token.weights.map((layer) => layer.filter((each) => each > 0).length),
    );
    expect(new Set(counts)).toEqual(new Set([1, 2]));
  });

  test.each(['gpu', 'cpu'] as const)('%s and the reference agree', async (device) => {
    const want = await logitsOf(sparse, decided, 'reference');
    expect(largestError(await logitsOf(sparse, decided, device), want)).toBeLessThan(1e-4);
    expect(largestError(await logitsOf(undefined, decided, 'reference'), want)).toBeGreaterThan(1e-3);
  });

  test.each(['gpu', 'cpu'] as const)('streamed on %s', (device) => sameStreamed(sparse, decided, device));
});

describe('slim', () => {
  test.each(['gpu', 'cpu', 'reference'] as const)('with all neurons on %s: the model', async (device) => {
    const found = await logitsOf(await slimmed(WIDTH), folder, device);
    expect(largestError(found, logits.flat())).toBeLessThan(1e-4);
  });

  test.each(['gpu', 'cpu', 'reference'] as const)('on %s: the model without the others', async (device) => {
    const found = await logitsOf(await slimmed(KEPT), folder, device);
    expect(largestError(found, await logitsOf(undefined, silenced, 'reference'))).toBeLessThan(1e-4);
  });

  test('records have the kept neurons only', async () => {
    const engine = await load(await slimmed(KEPT), folder, 'gpu', { streaming: { slotsPerLayer: 2 } });
    expect((await engine.streaming())?.unitBytes).toBe(3 * KEPT * 64 * 4);
    engine.dispose();
  });

  test.each(['gpu', 'cpu'] as const)('streamed on %s', async (device) =>
    sameStreamed(await slimmed(KEPT), folder, device),
  );
});
