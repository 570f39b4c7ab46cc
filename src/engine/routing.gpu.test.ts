/** Routers of descriptions in the place of a model's own. */
import { describe, expect, test } from 'vitest';
import {
  firstDifference,
  largestError,
  openEngine,
  readGolden,
  repositoryFolder,
  type FixtureGolden,
} from './testing.ts';

const FOLDER = 'fixtures/models/olmoe';
const base = { format: 'atomoe.layer', version: 1, hiddenSize: 64, experts: 8 };
const linear = { kind: 'linear', weight: 'model.layers.{layer}.mlp.gate.weight' };
const own = { score: linear, transform: [{ kind: 'softmax' }], select: { kind: 'topK', k: 2 } };

async function idsOf(): Promise<readonly number[]> {
  return (await readGolden<FixtureGolden>(await repositoryFolder(FOLDER))).ids;
}

describe.each(['gpu', 'cpu', 'reference'] as const)('on %s', (device) => {
  test("the description of the model's own router gives its logits", async () => {
    const folder = await repositoryFolder(FOLDER);
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    const ids = await idsOf();
    await engine.load(folder);
    const wanted = await engine.logits(ids, 'at-once');
    await engine.load(folder, { routing: { ...base, router: own } });
    expect(largestError(await engine.logits(ids, 'at-once'), wanted)).toBeLessThan(1e-5);
    expect(largestError(await engine.logits(ids, 'one-by-one'), wanted)).toBeLessThan(1e-4);
    engine.dispose();
  });

  test.each([
    ['top p', 4, { ...own, select: { kind: 'topP', p: 0.4, atMost: 3 } }],
    ['ReLU', 8, { ...own, transform: [{ kind: 'relu' }], select: { kind: 'positive' } }],
    ['cosine scores', 4, { ...own, score: { kind: 'cosine', keys: linear.weight, temperature: 0.2 } }],
  ])('%s: %i slots of 8 give the bits of the resident model', async (_name, slotsPerLayer, router) => {
    const folder = await repositoryFolder(FOLDER);
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    const ids = await idsOf();
    const routing = { ...base, router };
    await engine.load(folder);
    const plain = await engine.logits(ids, 'one-by-one');
    await engine.load(folder, { routing });
    const whole = await engine.logits(ids, 'one-by-one');
    expect(firstDifference(whole, plain)).not.toBe('equal');
    if (device === 'reference') return engine.dispose();
    await engine.load(folder, { routing, streaming: { start: 'now', slotsPerLayer, fill: false } });
    expect(firstDifference(await engine.logits(ids, 'one-by-one'), whole)).toBe('equal');
    engine.dispose();
  });
});

test("layers may have routers of their own, or keep the model's", async () => {
  const folder = await repositoryFolder(FOLDER);
  const engine = await openEngine({ device: 'cpu' });
  const ids = await idsOf();
  const one = { ...base, router: { ...own, select: { kind: 'topK', k: 1 } } };
  await engine.load(folder, { routing: one });
  const all = await engine.logits(ids, 'at-once');
  await engine.load(folder, { routing: (layer) => (layer === 0 ? one : undefined) });
  const first = await engine.logits(ids, 'at-once');
  expect(firstDifference(first, all)).not.toBe('equal');
  for (const routing of [[one], [one, null]]) {
    await engine.load(folder, { routing });
    expect(firstDifference(await engine.logits(ids, 'at-once'), first)).toBe('equal');
  }
  await engine.load(folder, { routing: [one, one, one] });
  expect(firstDifference(await engine.logits(ids, 'at-once'), all)).toBe('equal');
  engine.dispose();
});

test('hooks mask experts, override ranks and steer; those that change nothing change no bit', async () => {
  const folder = await repositoryFolder(FOLDER);
  const engine = await openEngine();
  const ids = await idsOf();
  const logits = async (hooks?: object) => {
    await engine.load(folder, { routing: { ...base, router: own, ...(hooks && { hooks }) } });
    return engine.logits(ids, 'one-by-one');
  };
  const plain = await logits();
  const steer = { experts: [3], mode: 'soft', strength: 0 };
  for (const hooks of [{ mask: [] }, { ranks: [0, 1] }, { steer }]) {
    expect(firstDifference(await logits(hooks), plain), JSON.stringify(hooks)).toBe('equal');
  }
  for (const hooks of [{ mask: [0, 1, 2] }, { ranks: [1] }, { steer: { ...steer, mode: 'hard' } }]) {
    expect(firstDifference(await logits(hooks), plain), JSON.stringify(hooks)).not.toBe('equal');
  }
  engine.dispose();
});

test.each(['gpu', 'cpu', 'reference'] as const)(
  'on %s, tokens report the experts they use',
  async (device) => {
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    const select = { kind: 'topP', p: 0.4, atMost: 8 };
    const routing = {
      ...base,
      hiddenSize: 192,
      experts: 32,
      router: { ...own, select },
      hooks: { mask: [0, 1] },
    };
    await engine.load(await repositoryFolder('demo/public/models/fable-moe-12m'), { routing });
    const rows: { ids: readonly number[]; weights: readonly number[] }[] = [];
    const options = { maxTokens: 6, temperature: 0, routes: true };
    for await (const event of engine.session().generate('Once upon a time', options)) {
      if (event.kind !== 'token' || !event.routes) continue;
      const { ids, weights } = event.routes;
      rows.push(...ids.map((row, layer) => ({ ids: row, weights: weights[layer] ?? [] })));
    }
    const ids = rows.flatMap((row) => row.ids);
    expect([Math.min(...ids) >= 2, Math.max(...ids) < 32]).toEqual([true, true]);
    expect(new Set(rows.map((row) => row.ids.length)).size).toBeGreaterThan(1);
    for (const row of rows) expect(row.weights.length).toBe(row.ids.length);
    engine.dispose();
  },
);

test.each([
  [{ ...base, experts: 4, router: own }, /experts is 4/],
  [{ ...base, hiddenSize: 32, router: own }, /hiddenSize is 32/],
  [{ ...base, router: { ...own, select: { kind: 'topK', k: 9 } } }, /router\.select\.k is 9/],
  [
    { ...base, router: { ...own, select: { kind: 'expertChoice', factor: 1 }, scope: { sees: 'sequence' } } },
    /sees is "sequence"/,
  ],
  [{ ...base, router: { ...own, score: { kind: 'linear', weight: 'nowhere' } } }, /"nowhere" is missing/],
  [{ ...base, router: own, expert: { kind: 'skip' } }, /expert/],
  [[], /no layer has a description/],
  [[null, null, null, null], /4 descriptions are given; the model has 3 layers/],
  [[null, 4], /./],
])('%j is refused', async (routing, message) => {
  const engine = await openEngine({ device: 'cpu' });
  await expect(engine.load(await repositoryFolder(FOLDER), { routing })).rejects.toThrow(message);
  engine.dispose();
});
