import { describe, expect, test } from 'vitest';
import { gate, gateParams, gateVariants, type GateSize, type GateVariant } from './gate.ts';
import type { GateRouting } from './gate.reference.ts';
import { FREE_TOKEN, hookedGate, hooksSize, packChoice, type ChoiceHook } from './hooked-gate.ts';
import { hookedGateReference } from './hooked-gate.reference.ts';
import type { RouterRule } from './rule.ts';
import { MASKED } from './stages/stage.ts';
import { expectClose, randomNormal, randomStream, runKernel, testGpu } from '../testing.ts';

const gpu = await testGpu();
const plain = { eps: 0, scale: 1, groups: null };
const groups = { count: 8, keep: 4, score: 'two-best' };
const RULES: readonly (readonly [string, RouterRule])[] = [
  ['softmax, sum', { ...plain, score: 'softmax', renorm: 'sum' }],
  ['softmax of logits', { ...plain, score: 'identity', renorm: 'softmax' }],
  ['softmax, no sum', { ...plain, score: 'softmax', renorm: 'none', scale: 16 }],
  ['sigmoid in groups', { score: 'sigmoid', renorm: 'sum', eps: 1e-20, scale: 2.5, groups }],
  ['sparsemixer', { ...plain, score: 'identity', renorm: 'sparsemixer', eps: 0.02 }],
];
const SIZE: GateSize = { tokens: 37, experts: 40, topK: 4 };
const { tokens, experts, topK } = SIZE;
const logits = randomNormal(tokens * experts, 1, 2);
const bias = randomNormal(experts, 2, 0.05);
const factors = randomNormal(experts, 3).map((value) => 1 + value / 8);

/** Given routes; a token without ids chooses for itself. */
interface Given {
  readonly ids: readonly (readonly number[] | undefined)[];
  readonly weights?: (token: number, rank: number) => number;
}

function hooksOf(choice: Partial<ChoiceHook>, given?: Given): Uint32Array<ArrayBuffer> {
  const { fixed, perToken } = hooksSize(SIZE);
  const words = new Uint32Array(fixed + perToken * tokens).fill(FREE_TOKEN, fixed);
  const floats = new Float32Array(words.buffer);
  const replays = { replays: given !== undefined, replaysWeights: given?.weights !== undefined };
  words.set(packChoice({ ...replays, ...choice }, SIZE));
  given?.ids.forEach((ids, token) => {
    if (!ids) return;
    for (let rank = 0; rank < topK; rank += 1) {
      words[fixed + perToken * token + rank] = ids[rank] ?? experts;
      floats[fixed + perToken * token + topK + rank] = given.weights?.(token, rank) ?? 0;
    }
  });
  return words;
}

type Hooks = Uint32Array<ArrayBuffer> | undefined; // none: the plain gate

async function run(
  variant: GateVariant,
  rule: RouterRule,
  hooks: Hooks,
  values = logits,
): Promise<GateRouting> {
  const outputs = {
    ids: { type: 'u32', count: tokens * topK },
    weights: { type: 'f32', count: tokens * topK },
  } as const;
  const buffers = { logits: values, bias, ...outputs, factors };
  const one = { params: gateParams(rule, SIZE), size: SIZE };
  const { ids, weights } = hooks
    ? await runKernel(gpu, hookedGate, variant, { buffers: { ...buffers, hooks }, ...one })
    : await runKernel(gpu, gate, variant, { buffers, ...one });
  return { ids: ids as Uint32Array<ArrayBuffer>, weights: weights as Float32Array<ArrayBuffer> };
}

const rowsOf = <T extends Iterable<number> & { slice(from: number, to: number): T }>(list: T) =>
  Array.from({ length: tokens }, (_, t) => [...list.slice(t * topK, (t + 1) * topK)]);

describe.each(RULES)('%s', (_name, rule) => {
  const forms = [...gateVariants(rule, experts), ...gateVariants(rule, experts, true)];
  const labels = forms.map((variant) => [hookedGate.key(variant), variant] as const);

  describe.each(labels)('%s', (_key, variant) => {
    const ownFactors = variant.factored ? factors : undefined;
    const expectReference = (got: GateRouting, hooks: Uint32Array, values = logits) => {
      const want = hookedGateReference(values, bias, hooks, { ...SIZE, rule, factors: ownFactors });
      expect([...got.ids]).toEqual([...want.ids]);
      expectClose(got.weights, want.weights, { absolute: 1e-6, relative: 1e-5 });
    };

    test('without a hook, and with the first ranks, it gives the bits of the gate', async () => {
      const base = await run(variant, rule, undefined);
      expect(await run(variant, rule, hooksOf({}))).toEqual(base);
      expect(await run(variant, rule, hooksOf({ ranks: [0, 1, 2, 3] }))).toEqual(base);
    });

    test.each([[[3, 1, 0, 2]], [[2]], [[19, 0]]])('ranks %j', async (ranks) => {
      const hooks = hooksOf({ ranks });
      expectReference(await run(variant, rule, hooks), hooks);
    });

    test('replayed routes have the bits that they had, and tokens without any choose for themselves', async () => {
      const base = await run(variant, rule, undefined);
      const own = rowsOf(base.ids).map((ids, token) => (token % 5 === 3 ? undefined : ids));
      expect(await run(variant, rule, hooksOf({}, { ids: own }))).toEqual(base);
    });

    test('any experts can be replayed, in any order, and fewer of them', async () => {
      const next = randomStream(4);
      const ids = Array.from({ length: tokens }, (_, token) => {
        const first = Math.floor(next() * experts);
        return Array.from({ length: token % (topK + 1) }, (_, rank) => (first + 11 * rank) % experts);
      });
      const hooks = hooksOf({}, { ids });
      const got = await run(variant, rule, hooks);
      expectReference(got, hooks);
      expect(rowsOf(got.ids).map((row) => row.filter((id) => id < experts))).toEqual(ids);
    });

    test('recorded weights are taken as they are', async () => {
      const ids = Array.from({ length: tokens }, () => [7, 3, 39, 0]);
      const weights = (token: number, rank: number) => Math.fround(token / 7 - rank / 3);
      const got = await run(variant, rule, hooksOf({}, { ids, weights }));
      const wanted = ids.flatMap((row, token) => row.map((_, rank) => weights(token, rank)));
      expect([...got.weights]).toEqual(wanted);
    });

    test('masked logits are never chosen; what is missing is the sentinel', async () => {
      const left = [3, 17, 38];
      const masked = logits.map((value, at) => (left.includes(at % experts) ? value : MASKED));
      const got = await run(variant, rule, hooksOf({}), masked);
      expectReference(got, hooksOf({}), masked);
      for (const row of rowsOf(got.ids)) expect(row.toSorted((a, b) => a - b)).toEqual([...left, experts]);
      const ranks = hooksOf({ ranks: [3, 1] });
      const second = await run(variant, rule, ranks, masked);
      expect(rowsOf(second.ids).map((row) => row[1])).toEqual(rowsOf(got.ids).map((row) => row[1]));
      expect(rowsOf(second.weights).every((row) => row[0] === 0 && row[2] === 0)).toBe(true);
    });
  });
});
