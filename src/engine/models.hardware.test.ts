/**
 * Every model as a GPU would run it: the software adapter, treated as hardware (ATOMOE_ADAPTER=hardware), with the default
 * kernels, with those that the tuner chooses, and with all others that it could have chosen.
 */
import { describe, expect, test } from 'vitest';
import type { Choice } from '../graph/plan.ts';
import type { EngineOptions } from './engine.ts';
import { generatedIds, generatedModel } from './generated-model.testing.ts';
import {
  firstDifference,
  FIXTURE_FAMILIES,
  fixtureTolerance,
  largestError,
  openEngine,
  readGolden,
  repositoryFolder,
  TRAINED_MODELS,
  type FixtureGolden,
  type TrainedGolden,
} from './testing.ts';
import { MANY_EXPERTS, MemoryStore } from './hardware.testing.ts';

const TOLERANCE = 1e-4; // of logits, against PyTorch in f32

/** Logits at some positions of a text, from the golden file. */
interface Wanted {
  readonly ids: readonly number[];
  readonly rows: readonly (readonly [position: number, logits: readonly number[]])[];
}

async function wantedOfFixture(family: string): Promise<[path: string, wanted: Wanted]> {
  const path = `fixtures/models/${family}`;
  const { ids, logits } = await readGolden<FixtureGolden>(await repositoryFolder(path));
  return [path, { ids, rows: [...logits.entries()] }];
}

async function wantedOfTrained(name: string): Promise<[path: string, wanted: Wanted]> {
  const path = `demo/public/models/${name}`;
  const golden = await readGolden<TrainedGolden>(await repositoryFolder(path));
  const rows = golden.logits_positions.map(
    (position, index) => [position, golden.logits[index] ?? []] as const,
  );
  return [path, { ids: golden.ids, rows }];
}

/** A model's name, and how its folder and its known logits are found. */
type Model = readonly [name: string, find: (name: string) => Promise<[path: string, wanted: Wanted]>];

const MODELS: readonly Model[] = [
  ...FIXTURE_FAMILIES.map((name): Model => [name, wantedOfFixture]),
  ...TRAINED_MODELS.map((name): Model => [name, wantedOfTrained]),
];

/** What `npm test` runs of all this: heads without groups, and one model of each kind of experts. */
const QUICK = new Set<string>(['olmoe', 'fable-omni-8m']);

describe.each(MODELS)('%s', (...model) => {
  const isQuick = QUICK.has(model[0]);
  test(
    'the default kernels of hardware give the golden logits',
    { tags: isQuick ? [] : ['full'] },
    async () => {
      await expectGolden(model, { tuning: 'off' });
    },
  );
  test('the kernels that the tuner chooses give the golden logits', { tags: ['full'] }, async () => {
    const store = new MemoryStore();
    await expectGolden(model, { tuning: 'auto', tuningStore: store });
    expect(store.tuning.size).toBeGreaterThan(5);
  });
});

test('a model of 160 experts, tuned: the logits of the CPU reference', { tags: ['full'] }, async () => {
  const ids = generatedIds(12, MANY_EXPERTS.vocab, 5);
  const wanted = await openEngine({ device: 'reference' });
  const store = new MemoryStore();
  const engine = await openEngine({ tuning: 'auto', tuningStore: store });
  try {
    for (const each of [wanted, engine]) await each.load(await generatedModel(MANY_EXPERTS));
    expect(engine.adapter.adapterClass).toBe('hardware');
    expect([...store.tuning.keys()].some((key) => key.includes('gate'))).toBe(true);
    for (const mode of ['at-once', 'one-by-one'] as const) {
      expect(largestError(await engine.logits(ids, mode), await wanted.logits(ids, mode))).toBeLessThan(
        TOLERANCE,
      );
    }
  } finally {
    engine.dispose();
    wanted.dispose();
  }
});

// The larger trained model has the kernels of the fixtures.
const KERNELS = MODELS.filter(([name]) => name !== 'fable-moe-12m');
test.each(KERNELS)(
  '%s: all other kernels on offer give the golden logits',
  { tags: ['full'] },
  async (...model) => {
    const choices = await expectGolden(model, { tuning: 'off' });
    const most = Math.max(...choices.map(({ candidates }) => candidates.length));
    for (let round = 1; round < most; round += 1) {
      const nth = ({ key, candidates }: Choice) =>
        [key, candidates[round % candidates.length] ?? ''] as const;
      await expectGolden(model, { tuning: new Map(choices.map(nth)) });
    }
  },
);

test.each(['mixtral', 'qwen2_moe'])('%s streamed has the bits of the same resident', async (name) => {
  const folder = () => repositoryFolder(`fixtures/models/${name}`);
  const { ids } = await readGolden<FixtureGolden>(await folder());
  const resident = await openEngine();
  const { plan } = await resident.load(await folder());
  const streamed = await openEngine();
  const streaming = { slotsPerLayer: plan.expertsPerToken, fill: false };
  expect(await streamed.load(await folder(), { streaming })).toMatchObject({ plan: { streams: true } });
  for (const mode of ['at-once', 'one-by-one'] as const) {
    const [a, b] = [await resident.logits(ids, mode), await streamed.logits(ids, mode)];
    expect(firstDifference(a, b), mode).toBe('equal');
  }
  resident.dispose();
  streamed.dispose();
});

/** @returns what the engine could choose from */
async function expectGolden([name, wantedOf]: Model, options: EngineOptions): Promise<readonly Choice[]> {
  const [path, { ids, rows }] = await wantedOf(name);
  const tolerance = fixtureTolerance(name);
  const engine = await openEngine(options);
  expect(engine.adapter.adapterClass).toBe('hardware');
  const { plan } = await engine.load(await repositoryFolder(path));
  for (const mode of ['at-once', 'one-by-one'] as const) {
    const logits = await engine.logits(ids, mode);
    for (const [position, want] of rows) {
      const got = logits.subarray(position * want.length, (position + 1) * want.length);
      expect(largestError(got, want), `${mode}, position ${position}`).toBeLessThan(tolerance);
    }
  }
  expect(plan.refusedKernels).toEqual([]);
  const choices = engine.runner.tools!.choices;
  engine.dispose();
  return choices;
}
