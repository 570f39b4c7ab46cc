/**
 * Every model as a GPU would run it: the software adapter, treated as hardware (ATOMOE_ADAPTER=hardware), with the default
 * kernels and with those that the tuner chooses.
 */
import { describe, expect, test } from 'vitest';
import {
  FIXTURE_FAMILIES,
  largestError,
  openEngine,
  readGolden,
  repositoryFolder,
  TRAINED_MODELS,
  type FixtureGolden,
  type TrainedGolden,
} from './testing.ts';

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

const MODELS = [
  ...FIXTURE_FAMILIES.map((name) => [name, wantedOfFixture] as const),
  ...TRAINED_MODELS.map((name) => [name, wantedOfTrained] as const),
];

/** What `npm test` runs of all this: heads without groups, and one model of each kind of experts. */
const QUICK = new Set<string>(['olmoe', 'fable-omni-8m']);

describe.each(MODELS)('%s', (name, wantedOf) => {
  const isQuick = QUICK.has(name);
  test('the default kernels of hardware give the golden logits', { tags: isQuick ? [] : ['full'] }, () =>
    expectGolden('off'),
  );
  test('the kernels that the tuner chooses give the golden logits', { tags: ['full'] }, () =>
    expectGolden('auto'),
  );

  async function expectGolden(tuning: 'off' | 'auto'): Promise<void> {
    const [path, { ids, rows }] = await wantedOf(name);
    const engine = await openEngine({ tuning });
    expect(engine.adapter.adapterClass).toBe('hardware');
    await engine.load(await repositoryFolder(path));
    for (const mode of ['at-once', 'one-by-one'] as const) {
      const logits = await engine.logits(ids, mode);
      for (const [position, want] of rows) {
        const got = logits.subarray(position * want.length, (position + 1) * want.length);
        expect(largestError(got, want), `${mode}, position ${position}`).toBeLessThan(TOLERANCE);
      }
    }
    engine.dispose();
  }
});
