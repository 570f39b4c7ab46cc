import { expect, test } from 'vitest';
import { remadeModel } from './remade-model.testing.ts';
import {
  FIXTURE_FAMILIES,
  isIllConditioned,
  largestError,
  openEngine,
  readGolden,
  repositoryFolder,
  TRAINED_MODELS,
  type FixtureGolden,
  type TrainedGolden,
} from './testing.ts';

/** Of logits with f16 activations, against transformers in f32. */
const TOLERANCE = 2e-2;

/**
 * Of the root-mean-square error in f16 to that in f32. It is 1000 to 1300 in fixtures that are well-conditioned, and 1500 to 2300
 * in the others, whose errors in both grow alike; the roundings have the ratio 8192.
 */
const MOST_RATIO = 4000;

/** Logits of all positions, prefilled in one go and token by token; both must be near `want` at `positions`. */
async function expectNear(
  path: string,
  ids: readonly number[],
  positions: readonly number[],
  want: number[][],
) {
  const engine = await openEngine();
  await engine.load(await repositoryFolder(path), { activations: 'f16' });
  for (const mode of ['at-once', 'one-by-one'] as const) {
    const logits = await engine.logits(ids, mode);
    for (const [index, position] of positions.entries()) {
      const row = want[index] ?? [];
      const got = logits.subarray(position * row.length, (position + 1) * row.length);
      expect(largestError(got, row), `${mode}, position ${position}`).toBeLessThan(TOLERANCE);
    }
  }
  engine.dispose();
}

const conditioned = FIXTURE_FAMILIES.filter((family) => !isIllConditioned(family));
test.each(conditioned)('%s in f16 stays near its golden logits', async (family) => {
  const path = `fixtures/models/${family}`;
  const { ids, logits } = await readGolden<FixtureGolden>(await repositoryFolder(path));
  await expectNear(path, ids, [...ids.keys()], logits as number[][]);
});

test.each(FIXTURE_FAMILIES.filter(isIllConditioned))(
  '%s in f16 has no more errors than in f32, but for their size',
  async (family) => {
    const folder = await repositoryFolder(`fixtures/models/${family}`);
    const { ids, logits } = await readGolden<FixtureGolden>(folder);
    const want = logits.flat();
    const errorOf = async (activations: 'f16' | 'f32', mode: 'at-once' | 'one-by-one') => {
      const engine = await openEngine();
      await engine.load(folder, { activations });
      const got = await engine.logits(ids, mode);
      engine.dispose();
      const squares = want.reduce((sum, value, at) => sum + (value - (got[at] ?? NaN)) ** 2, 0);
      return Math.sqrt(squares / want.length);
    };
    for (const mode of ['at-once', 'one-by-one'] as const) {
      const ratio = (await errorOf('f16', mode)) / (await errorOf('f32', mode));
      expect(ratio, mode).toBeLessThan(MOST_RATIO);
    }
  },
);

test.each(TRAINED_MODELS)('%s in f16 stays near its golden logits', async (name) => {
  const path = `demo/public/models/${name}`;
  const golden = await readGolden<TrainedGolden>(await repositoryFolder(path));
  await expectNear(path, golden.ids, golden.logits_positions, golden.logits as number[][]);
});

test('a residual stream far beyond 65504 stays finite and right', async () => {
  // All that is added to the stream is 100,000,000 times as large: after each norm the numbers are the same.
  const folder = await repositoryFolder('fixtures/models/qwen2_moe');
  const { ids } = await readGolden<FixtureGolden>(folder);
  const massive = await remadeModel(folder, {
    tensor: (name, { shape, values }) => ({
      shape,
      values: /embed_tokens|o_proj|down_proj/.test(name) ? values.map((value) => 1e8 * value) : values,
    }),
  });
  const cpu = await openEngine({ device: 'reference' });
  const { plan } = await cpu.load(massive);
  const want = await cpu.logits(ids, 'at-once');
  cpu.dispose();
  const engine = await openEngine();
  await engine.load(massive, { activations: 'f16' });
  for (const mode of ['at-once', 'one-by-one'] as const) {
    expect(largestError(await engine.logits(ids, mode), want), mode).toBeLessThan(TOLERANCE);
  }
  engine.dispose();
  expect(want).toHaveLength(ids.length * plan.vocab);
});
