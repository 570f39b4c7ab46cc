/** Policies of the caller's that do not do what a policy does: one clear error, and the model is as it was. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MakePolicy, Policy } from '../experts/policy.ts';
import type { LocalEngine } from './engine.ts';
import { modelInMemory } from './streaming.testing.ts';
import { openEngine } from './testing.ts';

const PLACES = 8;
const FEWEST = 4; // experts of a token

let engine: LocalEngine;
let want: string;

beforeAll(async () => {
  engine = await openEngine();
  await engine.load(await modelInMemory('demo/public/models/fable-moe-12m'), {
    streaming: { slotsPerLayer: PLACES, fill: false },
  });
  want = await reply();
});

afterAll(() => engine.dispose());

async function reply(): Promise<string> {
  const session = engine.session();
  try {
    let text = '';
    for await (const event of session.generate('Once upon a time', { maxTokens: 6, temperature: 0 }))
      if (event.kind === 'token') text += event.text;
    return text;
  } finally {
    session.dispose();
  }
}

const steady: Policy = { begin: () => {}, use: () => {}, observe: () => {}, score: (unit) => unit };
const { observe: _observe, ...partial } = steady;

test.each<[string, unknown, RegExp]>([
  ['gives nothing', () => undefined, /^what streaming\.policy returned is undefined; wanted .* observe/],
  ['gives a promise', async () => steady, /^what streaming\.policy returned is an? .*; wanted /],
  ['lacks a method', () => partial, /^what streaming\.policy returned is an object; wanted .* observe/],
  [
    'throws for a later layer',
    ({ layer }: { layer: number }) => {
      if (layer > 1) throw new Error('no more');
      return steady;
    },
    /^streaming\.policy threw .*no more/,
  ],
])('a policy that %s is refused, and nothing changes', async (_what, policy, message) => {
  await expect(engine.resize({ streaming: { policy: policy as MakePolicy } })).rejects.toMatchObject({
    code: 'bad-input',
    message: expect.stringMatching(message),
  });
  expect(await reply()).toBe(want);
});

test.each<[string, Partial<Policy>, RegExp]>([
  [
    'throws',
    {
      score: () => {
        throw new Error('later');
      },
    },
    /^score\(\) of streaming\.policy threw .*later/,
  ],
  [
    'is no number',
    { score: () => NaN },
    /^what score\(\) of streaming\.policy returned is NaN; wanted a finite/,
  ],
])('a score that %s ends the reply; another policy goes on', async (_what, methods, message) => {
  await engine.resize({ streaming: { policy: () => ({ ...steady, ...methods }) } });
  await expect(reply()).rejects.toMatchObject({
    code: 'bad-input',
    message: expect.stringMatching(message),
  });
  await engine.resize({ streaming: { policy: 'lru' } });
  expect(await reply()).toBe(want);
});

test('a resize without enough memory says so, and leaves the model and its sessions as they were', async () => {
  const { bytes } = await engine.resize({ memoryBudget: 1e9, streaming: { slotsPerLayer: FEWEST } });
  const sessions = Array.from({ length: 6 }, () => engine.session());
  for (const session of sessions) for await (const _event of session.generate('Once', { maxTokens: 1 }));
  await expect(engine.resize({ memoryBudget: bytes.gpuTotal })).rejects.toMatchObject({
    code: 'out-of-memory',
  });
  expect((await engine.streaming())!.slotsPerLayer).toBe(FEWEST);
  for (const session of sessions) session.dispose();
  expect(await reply()).toBe(want);
  await engine.resize({ memoryBudget: 1e9, streaming: { slotsPerLayer: PLACES } });
  expect(await reply()).toBe(want);
});
