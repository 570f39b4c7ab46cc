/** Described routers that read tensors of a request: checked, equal on all devices however a text is cut, streamed as resident. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GenerateOptions, LoadOptions, RequestTensors, StreamingReport } from './api.ts';
import {
  describedModel,
  layerAlone,
  LAYER,
  layerRuns,
  OWN,
  runSteps,
  VOCAB,
} from './described-model.testing.ts';
import type { LocalEngine } from './engine.ts';
import { draftModel } from './load/planning.ts';
import { CASES, IDS, wanted } from './routing-request.testing.ts';
import { readTensors } from './talk/request-tensors.ts';
import { firstDifference, largestError, openEngine, repositoryFolder } from './testing.ts';

const folder = await describedModel();
const STREAMING = { start: 'now', slotsPerLayer: 4, fill: false, lookahead: 2 } as const;

async function tensorsFor(routing: object, tensors: RequestTensors) {
  const drafted = await draftModel(folder, { routing });
  drafted.checkpoint.dispose();
  return readTensors(tensors, drafted.decode.requested ?? [], IDS.length);
}

describe.each(['gpu', 'cpu', 'reference'] as const)('on %s', (device) => {
  test.each(Object.entries(CASES))('%s', async (_, each) => {
    const { description: routing, tensors } = each;
    const given = await tensorsFor(routing, tensors);
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    const run = async (options: LoadOptions, lengths: readonly number[]) => {
      await engine.load(folder, options);
      const state = await engine.runner.openState();
      const result = await runSteps(engine.runner, state, IDS, { lengths, given });
      state.dispose();
      return result;
    };
    const once = await run({ routing }, [21]);
    const cut = await run({ routing }, [9, 4, 1, 1, 6]);
    const ids = once.routes.map((routes) => routes.ids);
    expect(cut.routes.map((routes) => routes.ids)).toEqual(ids);
    expect(largestError(once.logits, cut.logits.slice(-VOCAB))).toBeLessThan(1e-4);
    if (each.ids) expect(ids).toEqual(wanted(each));
    // What the first layer reads does not depend on routing: its routes are those of a layer file.
    const [first] = await layerRuns(folder, { ...LAYER, router: OWN }, IDS);
    const request = Object.fromEntries(
      Object.entries(tensors).map(([name, { shape, values }]) => {
        const isOneRow = shape.length === 1 && name !== 'delta';
        const rows = isOneRow ? IDS.flatMap(() => [...values]) : values;
        const whole = isOneRow ? [IDS.length, ...shape] : [...shape];
        return [name, { shape: whole, values: Float32Array.from(rows) }];
      }),
    );
    const alone = await layerAlone(folder, routing, first!, request);
    const most = alone['ids.0']!.length / IDS.length;
    for (const [token, routes] of once.routes.entries()) {
      const row = <T extends ArrayLike<number>>(values: T) =>
        Array.from(values).slice(token * most, (token + 1) * most);
      const kept = row(alone['ids.0']!).filter((id) => id < LAYER.experts);
      expect(routes.ids[0]).toEqual(kept);
      const weights = row(alone['weights.0']!).slice(0, kept.length);
      expect(largestError(routes.weights[0] ?? [], weights)).toBeLessThan(1e-5);
    }
    if (device !== 'reference') {
      const streamed = await run({ routing, streaming: STREAMING }, [9, 4, 1, 1, 6]);
      expect(firstDifference(streamed.logits, cut.logits)).toBe('equal');
      expect(streamed.routes).toEqual(cut.routes);
    }
    engine.dispose();
  });
});

test.each(['gpu', 'cpu'] as const)(
  'on %s, experts that a request names are read before their layers',
  async (device) => {
    const { description: routing, tensors } = CASES['experts of a token, some none, with weights']!;
    const given = await tensorsFor(routing, tensors);
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    await engine.load(folder, { routing, streaming: { start: 'now', slotsPerLayer: 2, fill: false } });
    const state = await engine.runner.openState();
    await runSteps(engine.runner, state, IDS, { lengths: IDS.map(() => 1), given });
    const report = (await engine.streaming()) as StreamingReport;
    expect(report).toMatchObject({ slotsPerLayer: 2, misses: 0, speculated: 0, aborts: 0 });
    expect(report.prefetched).toBeGreaterThan(0);
    state.dispose();
    engine.dispose();
  },
);

describe('replies', () => {
  const TALE = 'Once upon a time there was';
  const routing = {
    ...{ format: 'atomoe.layer', version: 1, hiddenSize: 192, experts: 32 },
    router: {
      score: { kind: 'linear', weight: 'model.layers.{layer}.mlp.gate.weight' },
      transform: [{ kind: 'softmax' }],
      select: { kind: 'topK', k: 4 },
      weigh: { normalise: 'sum' },
    },
    hooks: { bias: 'delta' },
  };
  const bias = (expert: number) => Float32Array.from({ length: 32 }, (_, at) => (at === expert ? 40 : 0));

  let engine: LocalEngine;

  beforeAll(async () => {
    engine = await openEngine();
    await engine.load(await repositoryFolder('demo/public/models/fable-moe-12m'), { routing });
  });

  afterAll(() => engine.dispose());

  test('take them, compute what was cached with others anew, and keep them in saved sessions', async () => {
    const session = engine.session();
    const reply = async (tensors: RequestTensors, own = session) => {
      const options: GenerateOptions = { maxTokens: 6, temperature: 0, tensors, trace: true };
      for await (const event of own.generate(TALE, options))
        if (event.kind === 'done') return { text: event.text, usage: event.usage, trace: event.trace };
      throw new Error('no end');
    };
    const of = (expert: number) => ({ delta: { shape: [32], values: bias(expert) } });
    const first = await reply(of(3));
    for (const { ids } of first.trace!.tokens) for (const layer of ids) expect(layer[0]).toBe(3);
    const other = await reply(of(5));
    expect(other.usage.reusedTokens).toBe(0);
    for (const { ids } of other.trace!.tokens) for (const layer of ids) expect(layer[0]).toBe(5);
    const again = await reply({ delta: { shape: [1, 32], values: [...bias(5)] } }); // the same numbers
    expect(again.usage.reusedTokens).toBeGreaterThan(0);
    expect(again.text).toBe(other.text);
    const saved = await session.save();
    const restored = engine.session();
    await restored.restore(saved);
    expect((await reply(of(5), restored)).usage.reusedTokens).toBe(again.usage.promptTokens - 1);
    await restored.restore(saved);
    expect((await reply(of(3), restored)).text).toBe(first.text);
  });

  test.each<[GenerateOptions, RegExp]>([
    [{}, /^tensors\.delta is missing; wanted an object of shape and values/],
    [{ tensors: [] as never }, /^tensors is a list/],
    [
      { tensors: { delta: { shape: [31], values: Array(31).fill(0) } } },
      /^tensors\.delta\.shape is \[1,31\]; wanted \[1, 32\]/,
    ],
    [
      { tensors: { delta: { shape: [2, 32], values: Array(64).fill(0) } } },
      /^tensors\.delta\.shape is \[2,32\]; wanted \[1, 32\]/,
    ],
    [
      { tensors: { delta: { shape: [32, 0], values: [] } } },
      /^tensors\.delta\.shape is \[32,0\]; wanted \[rows, width\]/,
    ],
    [
      { tensors: { delta: { shape: [32], values: [1, 2] } } },
      /^tensors\.delta\.values is 2; wanted 32 numbers/,
    ],
    [
      { tensors: { delta: { shape: [32], values: bias(3).fill(NaN, 4, 5) } } },
      /^tensors\.delta\.values\.4 is null; wanted a finite number/,
    ],
    [
      { tensors: { delta: { shape: [32], values: bias(3), dtype: 'F32' } as never } },
      /^tensors\.delta\.dtype is "F32"; wanted only shape, values/,
    ],
    [
      { tensors: { delta: { shape: [32], values: bias(3) }, alpha: { shape: [1], values: [1] } } },
      /^tensors\.alpha is .*; wanted delta/,
    ],
  ])('%j are refused, and the session goes on', async (options, message) => {
    const session = engine.session();
    await expect(session.generate(TALE, options)[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'bad-input',
      message: expect.stringMatching(message),
    });
    const tensors = { delta: { shape: [32], values: bias(1) } };
    const events = [];
    for await (const event of session.generate(TALE, { maxTokens: 2, tensors })) events.push(event.kind);
    expect(events.at(-1)).toBe('done');
  });

  test('rows have to reach to the end of the reply, and experts are named once', async () => {
    const { description, tensors } = CASES['experts of a token, some none, with weights']!;
    const drafted = await draftModel(folder, { routing: description });
    drafted.checkpoint.dispose();
    const requested = drafted.decode.requested ?? [];
    expect(requested.map(({ name }) => name).toSorted()).toEqual(['chosen', 'weights']);
    expect(() => readTensors(tensors, requested, IDS.length + 1)).toThrow(
      /^tensors\.\w+\.shape is \[21,2\]; wanted \[1, 2\], or \[rows, 2\] with a row for each of 22 tokens/,
    );
    const of = (...values: number[]) => ({ ...tensors, chosen: { shape: [2], values } });
    expect(() => readTensors(of(3, 3), requested, 1)).toThrow(
      /^tensors\.chosen\.values\.1 is 3; wanted each expert once/,
    );
    expect(() => readTensors(of(3, 9), requested, 1)).toThrow(
      /^tensors\.chosen\.values\.1 is 9; wanted a whole number from 0 to 8/,
    );
    expect(() => readTensors(of(8, 8), requested, 1)).not.toThrow();
  });

  test('a model that reads none refuses them, and so do tools without a request', async () => {
    const engine = await openEngine({ device: 'cpu' });
    const tensors = { delta: { shape: [1], values: [1] } };
    await engine.load(folder, { routing: CASES['scores of a token']!.description });
    await expect(engine.logits([1, 2])).rejects.toThrow(
      /the routing of the model reads "scores" of a request/,
    );
    expect(() => readTensors(tensors, [], 1)).toThrow(
      /^tensors\.delta is .*; wanted none: the routing reads no tensors/,
    );
    engine.dispose();
  });
});

test.each([
  [
    { router: { ...OWN, input: { parts: [{ from: 'caller', name: 'domain' }] } } },
    /router\.input\.parts\.0\.width is missing, the columns of "domain"/,
  ],
  [
    {
      router: {
        ...OWN,
        score: {
          kind: 'sum',
          terms: [
            { score: OWN.score, input: { parts: [{ from: 'hidden' }, { from: 'caller', name: 'a' }] } },
          ],
        },
      },
    },
    /router\.score\.terms\.0\.input\.parts\.1\.width is missing/,
  ],
  [
    { router: { ...OWN, transform: [{ kind: 'mixTokens', name: 'links' }], scope: { sees: 'prefix' } } },
    /router\.transform\.0\.kind is "mixTokens"; its matrix has a column for each token of the text/,
  ],
])('%j is refused', async (description, message) => {
  await expect(draftModel(folder, { routing: { ...LAYER, ...description } })).rejects.toThrow(message);
});
