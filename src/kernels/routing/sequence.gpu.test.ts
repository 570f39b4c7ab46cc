/** Rules that couple the tokens of a sequence, against their references. */
import { describe, expect, test } from 'vitest';
import { cross } from '../kernel.ts';
import { expectClose, randomNormal, runKernel, testGpu, type Output, type Values } from '../testing.ts';
import { attentionReceived } from './attention-received.ts';
import { attentionReceivedReference } from './attention-received.reference.ts';
import { mixTokens } from './mix-tokens.ts';
import { mixTokensReference } from './mix-tokens.reference.ts';
import { protectTokens } from './protect-tokens.ts';
import { protectTokensReference } from './protect-tokens.reference.ts';
import { capacity, capacityParams, capacityPlaces, type CapacityRule } from './capacity.ts';
import { capacityReference } from './capacity.reference.ts';
import { expertChoice, expertChoiceParams, type ExpertChoiceRule } from './expert-choice.ts';
import { expertChoiceReference } from './expert-choice.reference.ts';
import { sinkhorn } from './sinkhorn.ts';
import { sinkhornReference } from './sinkhorn.reference.ts';
import { withOffsets } from './sequence.ts';

const gpu = await testGpu();

type Numbers = Float32Array<ArrayBuffer>;

/** Multiples of 1/16, so that many are equal. */
const coarse = (values: Numbers) => values.map((value) => Math.round(16 * value) / 16);

/** Tokens in sequences: one, several with an empty one and one of a single token, or lanes' edges. */
const DIVISIONS: readonly (readonly [string, number, readonly number[] | undefined])[] = [
  ['one token', 1, undefined],
  ['63 tokens', 63, undefined],
  ['64 tokens', 64, undefined],
  ['65 tokens', 65, undefined],
  ['four sequences', 90, [0, 1, 1, 70, 90]],
];

interface Case {
  readonly tokens: number;
  readonly experts: number;
  readonly offsets: readonly number[] | undefined;
}

const sequencesOf = ({ offsets }: Case) => (offsets ? offsets.length - 1 : 1);

const divided = ({ offsets }: Case): Record<string, Values> =>
  offsets ? { offsets: Uint32Array.from(offsets) } : {};

const division = ({ offsets }: Case) => (offsets ? 'offsets' : 'one');

async function runSinkhorn(
  values: Numbers,
  own: Case,
  iterations: number,
  temperature: number,
): Promise<Values> {
  const { tokens, experts } = own;
  const sequences = sequencesOf(own);
  const variant = sinkhorn.variants.find((each) => each.division === division(own))!;
  const bindings = withOffsets(sinkhorn.bindings, variant.division);
  const buffers = {
    values,
    rows: { type: 'f32', count: tokens } as const,
    balanced: { type: 'f32', count: tokens * experts } as const,
    ...divided(own),
  };
  const got = await runKernel(gpu, { ...sinkhorn, bindings }, variant, {
    buffers: buffers as Record<string, Values | Output>,
    params: { tokens, experts, sequences, iterations, temperature },
    size: { sequences },
  });
  return got['balanced']!;
}

describe('sinkhorn', () => {
  test.each(DIVISIONS)('%s', async (_name, tokens, offsets) => {
    for (const experts of [1, 6, 64, 65]) {
      const own = { tokens, experts, offsets };
      const values = randomNormal(tokens * experts, experts + tokens);
      values[experts > 1 ? 1 : 0] = experts > 1 ? -3e38 : 1;
      const got = await runSinkhorn(values, own, 10, 0.5);
      const want = sinkhornReference(values, offsets, { ...own, iterations: 10, temperature: 0.5 });
      const finite = (all: Values) => [...all].map((value) => (value === -Infinity ? -1 : value));
      expectClose(finite(got), finite(want), { absolute: 1e-6, relative: 5e-5, label: `${experts} experts` });
    }
  });

  test('large values do not overflow; rows sum to 1', async () => {
    const own = { tokens: 12, experts: 4, offsets: undefined };
    const values = randomNormal(48, 3, 100);
    const got = await runSinkhorn(values, own, 20, 1);
    const want = sinkhornReference(values, undefined, { ...own, iterations: 20, temperature: 1 });
    // Powers of differences of hundreds: their relative errors grow with them.
    expectClose(got, want, { absolute: 1e-4, relative: 1e-3 });
    for (let t = 0; t < 12; t += 1) {
      const sum = [...got.subarray(4 * t, 4 * t + 4)].reduce((total, value) => total + value, 0);
      expect(sum).toBeCloseTo(1, 5);
    }
  });

  test('a NaN spoils its sequence only', async () => {
    const own = { tokens: 4, experts: 2, offsets: [0, 2, 4] };
    const got = await runSinkhorn(Float32Array.of(1, NaN, 2, 3, 1, 2, 3, 4), own, 3, 1);
    expect([...got.subarray(0, 4)]).toEqual([NaN, NaN, NaN, NaN]);
    expect([...got.subarray(4)].every(Number.isFinite)).toBe(true);
    expect(() =>
      sinkhornReference(Float32Array.of(NaN), undefined, {
        tokens: 1,
        experts: 1,
        iterations: 1,
        temperature: 1,
      }),
    ).toThrow('NaN among');
  });
});

const CHOICES: readonly (readonly [string, ExpertChoiceRule])[] = [
  ['by factor', { room: { factor: 2, round: 'ceil' }, least: 1 }],
  ['a factor that is not exact in single precision', { room: { factor: 1.1, round: 'ceil' }, least: 1 }],
  ['rounded down', { room: { factor: 1.5, round: 'floor' }, least: 2 }],
  ['tokens of each expert', { room: { tokens: 3 }, least: 1, across: { normalise: 'softmax' } }],
  ['the first token forced', { room: { factor: 1, round: 'floor' }, least: 2, forceFirst: true }],
  [
    'among two',
    { room: { factor: 1.5, round: 'floor' }, least: 1, among: 2, across: { normalise: 'sum', epsilon: 0.1 } },
  ],
];

async function runChoice(values: Numbers, raw: Numbers, own: Case, rule: ExpertChoiceRule) {
  const { tokens, experts } = own;
  const sequences = sequencesOf(own);
  const across = rule.across?.normalise ?? 'none';
  const variant = expertChoice.variants.find(
    (each) => each.across === across && each.division === division(own),
  )!;
  const bindings = expertChoice.bindingsOf!(variant);
  const out = (type: 'f32' | 'u32') => ({ type, count: tokens * experts }) as const;
  const shared = across === 'none' ? {} : { raw, shares: out('f32') };
  const buffers = { values, keys: out('f32'), given: out('u32'), ...shared, ...divided(own) };
  return runKernel(gpu, { ...expertChoice, bindings }, variant, {
    buffers: buffers as Record<string, Values | Output>,
    params: expertChoiceParams(rule, { tokens, experts, sequences }),
    size: { experts, sequences },
  }) as Promise<Record<string, Values>>;
}

describe.each(CHOICES)('expert choice: %s', (_rule, rule) => {
  test.each(DIVISIONS)('%s', async (_name, tokens, offsets) => {
    for (const experts of [1, 8, 65]) {
      const own = { tokens, experts, offsets };
      const values = coarse(randomNormal(tokens * experts, experts));
      if (experts > 1) values.fill(-3e38, 0, 2);
      const raw = randomNormal(tokens * experts, 5).map(Math.abs);
      const got = await runChoice(values, raw, own, rule);
      const want = expertChoiceReference(values, raw, offsets, rule, own);
      expect([...got['given']!]).toEqual([...want.given]);
      if (rule.across) expectClose(got['shares']!, want.shares, { label: 'shares' });
    }
  });
});

test('a product that is meant to be whole is not rounded away from it', () => {
  const rule: ExpertChoiceRule = { room: { factor: 1.1, round: 'ceil' }, least: 1 };
  const values = new Float32Array(20);
  const { given } = expertChoiceReference(values, undefined, undefined, rule, { tokens: 10, experts: 1 });
  expect([...given].filter((e) => e === 0)).toHaveLength(10);
  const two = expertChoiceReference(values, undefined, undefined, rule, { tokens: 10, experts: 2 });
  expect([...two.given].filter((e) => e === 0)).toHaveLength(6); // ceil(5.5)
});

const CAPACITIES: readonly CapacityRule[] = cross({
  order: ['token', 'rank'],
  overflow: ['drop', 'reroute'],
  fill: [false, true],
}).flatMap((rule) => [
  { ...rule, room: { factor: 0.75 } },
  { ...rule, room: { factor: 1.25 } },
  { ...rule, room: { tokens: 2 } },
]);

describe.each(CAPACITIES.map((rule) => [JSON.stringify(rule), rule] as const))(
  'capacity %s',
  (_rule, rule) => {
    test.each(DIVISIONS)('%s', async (_name, tokens, offsets) => {
      const [experts, k] = [9, 3];
      const own = { tokens, experts, offsets };
      const values = coarse(randomNormal(tokens * experts, tokens));
      values.fill(-3e38, 0, 3);
      // Every token has its largest three, but the second has a pad.
      const ids = Uint32Array.from({ length: tokens * k }, (_, at) => {
        if (at === 5) return experts;
        const row = values.subarray(Math.floor(at / k) * experts, (Math.floor(at / k) + 1) * experts);
        return [...row.keys()].toSorted((a, b) => row[b]! - row[a]! || a - b)[at % k]!;
      });
      const places = capacityPlaces(rule, k, experts);
      const sequences = sequencesOf(own);
      const variant = capacity.variants.find(
        (each) =>
          each.overflow === rule.overflow && each.fill === rule.fill && each.division === division(own),
      )!;
      const bindings = capacity.bindingsOf!(variant);
      const buffers = {
        ids,
        values,
        given: { type: 'u32', count: tokens * places } as const,
        ...divided(own),
      };
      const { given } = (await runKernel(gpu, { ...capacity, bindings }, variant, {
        buffers: buffers as Record<string, Values | Output>,
        params: capacityParams(rule, { tokens, experts, k, sequences }),
        size: { sequences },
      })) as Record<string, Values>;
      expect([...given!]).toEqual([...capacityReference(ids, values, offsets, rule, { tokens, experts, k })]);
    });
  },
);

/** Links of tokens to those at or before them in their sequence; every third is 0. */
function linksOf({ tokens, offsets }: Case): Numbers {
  const links = randomNormal(tokens * tokens, 8).map(Math.abs);
  const sequenceOf = (t: number) => (offsets ?? [0, tokens]).findLastIndex((first) => first <= t);
  return links.map((link, at) => {
    const [t, u] = [Math.floor(at / tokens), at % tokens];
    return u > t || at % 3 === 1 || sequenceOf(t) !== sequenceOf(u) ? 0 : link;
  });
}

describe.each(DIVISIONS)('%s', (_name, tokens, offsets) => {
  test('scores are mixed; what links to masked ones is masked', async () => {
    const own = { tokens, experts: 5, offsets };
    const links = linksOf(own);
    const values = randomNormal(tokens * 5, 9);
    values[2] = -3e38;
    values[3] = -Infinity;
    const [variant] = mixTokens.variants;
    const { y } = await runKernel(gpu, mixTokens, variant!, {
      buffers: { links, values, y: { type: 'f32', count: 5 * tokens } },
      params: { tokens, experts: 5, width: tokens },
      size: { elements: 5 * tokens },
    });
    const want = mixTokensReference(links, values, { tokens, experts: 5, width: tokens });
    const finite = (all: Values) => [...all].map((value) => (value === -Infinity ? -1e9 : value));
    expectClose(finite(y), finite(want), { absolute: 1e-5 });
  });

  test('attention received, relative to the most of the sequence', async () => {
    const own = { tokens, experts: 1, offsets };
    const links = linksOf(own);
    const sequences = sequencesOf(own);
    const variant = attentionReceived.variants.find((each) => each.division === division(own))!;
    const buffers = { links, importance: { type: 'f32', count: tokens } as const, ...divided(own) };
    const { importance } = (await runKernel(
      gpu,
      { ...attentionReceived, bindings: attentionReceived.bindingsOf!(variant) },
      variant,
      {
        buffers: buffers as Record<string, Values | Output>,
        params: { tokens, sequences, width: tokens },
        size: { sequences },
      },
    )) as Record<string, Values>;
    expectClose(importance!, attentionReceivedReference(links, offsets, { tokens, width: tokens }));
  });

  test.each([
    [0.15, 0.15],
    [0.1, 0.9], // shares of ten and ninety tokens are whole
    [1, 1],
    [0, 0.5],
  ])('the %f largest and %f smallest are protected', async (top, bottom) => {
    const own = { tokens, experts: 1, offsets };
    const values = coarse(randomNormal(tokens, 11));
    const sequences = sequencesOf(own);
    const variant = protectTokens.variants.find((each) => each.division === division(own))!;
    const buffers = { values, protection: { type: 'u32', count: tokens } as const, ...divided(own) };
    const { protection } = (await runKernel(
      gpu,
      { ...protectTokens, bindings: protectTokens.bindingsOf!(variant) },
      variant,
      {
        buffers: buffers as Record<string, Values | Output>,
        params: { tokens, sequences, top, bottom },
        size: { sequences },
      },
    )) as Record<string, Values>;
    expect([...protection!]).toEqual([...protectTokensReference(values, offsets, { tokens, top, bottom })]);
  });
});

test('links to NaN give NaN, others do not', async () => {
  const [variant] = mixTokens.variants;
  const { y } = await runKernel(gpu, mixTokens, variant!, {
    buffers: {
      links: Float32Array.of(1, 0, 0.5, 0.5),
      values: Float32Array.of(1, NaN),
      y: { type: 'f32', count: 2 },
    },
    params: { tokens: 2, experts: 1, width: 2 },
    size: { elements: 2 },
  });
  expect([...y]).toEqual([1, NaN]);
});
