import { describe, expect, test } from 'vitest';
import { gate, GATE_FORMS, gateParams, type GateForm, type GateSize } from './gate.ts';
import { gateReference } from './gate.reference.ts';
import { gateStages, type RouterRule } from './rule.ts';
import { expectClose, isFirefox, randomNormal, runKernel, testGpu } from '../testing.ts';

const gpu = await testGpu();
const plain = { eps: 0, scale: 1, groups: null };
const softmaxRenorm: RouterRule = { ...plain, score: 'softmax', renorm: 'sum' };
const deepseek3: RouterRule = {
  score: 'sigmoid',
  renorm: 'sum',
  eps: 1e-20,
  scale: 2.5,
  groups: { count: 8, keep: 4, score: 'two-best' },
};
/** Published routers: rule, experts, top-k, and whether they have a selection bias. */
const PRESETS: readonly (readonly [string, RouterRule, number, number, boolean])[] = [
  ['Mixtral', softmaxRenorm, 8, 2, false],
  ['Qwen3', softmaxRenorm, 128, 8, false],
  ['Switch', { ...plain, score: 'softmax', renorm: 'none' }, 64, 1, false],
  ['OLMoE', { ...plain, score: 'softmax', renorm: 'none' }, 64, 8, false],
  ['Granite, gpt-oss', { ...plain, score: 'identity', renorm: 'softmax' }, 32, 4, false],
  ['DeepSeek-V2', { ...plain, score: 'softmax', renorm: 'none', scale: 16 }, 160, 6, false],
  [
    'DeepSeek-V2 with groups',
    { ...plain, score: 'softmax', renorm: 'none', groups: { count: 8, keep: 3, score: 'max' } },
    160,
    6,
    false,
  ],
  ['DeepSeek-V3', deepseek3, 256, 8, true],
  ['LFM2', { ...plain, score: 'sigmoid', renorm: 'sum', eps: 1e-6 }, 32, 4, true],
  ['ERNIE', { ...plain, score: 'softmax', renorm: 'clamped-sum', eps: 1e-12 }, 64, 6, true],
  ['Phi-3.5-MoE', { ...plain, score: 'identity', renorm: 'sparsemixer', eps: 0.02 }, 16, 2, false],
  ['Llama 4', { ...plain, score: 'identity', renorm: 'sigmoid' }, 16, 1, false],
  ['BASE', { ...plain, score: 'sigmoid', renorm: 'none' }, 16, 1, false],
  ['ReLU-like: identity', { ...plain, score: 'identity', renorm: 'none' }, 31, 5, true],
];

interface Routing {
  readonly ids: Uint32Array<ArrayBuffer>;
  readonly weights: Float32Array<ArrayBuffer>;
}

async function run(
  form: GateForm,
  rule: RouterRule,
  size: GateSize,
  logits: Float32Array<ArrayBuffer>,
  bias: Float32Array<ArrayBuffer>,
  factors?: Float32Array<ArrayBuffer>,
): Promise<Routing> {
  const count = size.tokens * size.topK;
  const { ids, weights } = await runKernel(
    gpu,
    gate,
    { ...form, ...gateStages(rule), factored: factors !== undefined },
    {
      buffers: {
        logits,
        bias,
        ids: { type: 'u32', count },
        weights: { type: 'f32', count },
        factors: factors ?? new Float32Array(size.experts), // not bound
      },
      params: gateParams(rule, size),
      size,
    },
  );
  return { ids: ids as Uint32Array<ArrayBuffer>, weights: weights as Float32Array<ArrayBuffer> };
}

function scoreOf(row: Float32Array, e: number, rule: RouterRule): number {
  const value = row[e]!;
  if (rule.score === 'identity') return value;
  if (rule.score === 'sigmoid') return 1 / (1 + Math.exp(-value));
  let sum = 0;
  for (const other of row) sum += Math.exp(other - value);
  return 1 / sum;
}

/** Compares ids, except for experts whose selection values differ by less than 1e-5, and the weights of equal ids. */
function expectRouting(
  got: Routing,
  { ids, weights }: Routing,
  { tokens, experts, topK }: GateSize,
  rule: RouterRule,
  logits: Float32Array,
  bias: Float32Array,
): void {
  let equal = 0;
  for (let t = 0; t < tokens; t += 1) {
    const row = logits.subarray(t * experts, (t + 1) * experts);
    const span = [t * topK, (t + 1) * topK] as const;
    const gotIds = got.ids.subarray(...span);
    const wantIds = ids.subarray(...span);
    if (gotIds.every((id, r) => id === wantIds[r])) {
      const label = `weights of token ${t}`;
      expectClose(got.weights.subarray(...span), weights.subarray(...span), {
        absolute: 1e-6,
        relative: 1e-5,
        label,
      });
      equal += 1;
      continue;
    }
    for (let r = 0; r < topK; r += 1) {
      const [a, b] = [gotIds[r]!, wantIds[r]!];
      expect(a, `token ${t}, rank ${r}`).toBeLessThan(experts);
      const margin = scoreOf(row, a, rule) + bias[a]! - scoreOf(row, b, rule) - bias[b]!;
      expect(Math.abs(margin), `token ${t}, rank ${r}: ${a} instead of ${b}`).toBeLessThan(1e-5);
    }
  }
  expect(equal).toBeGreaterThan(0.99 * tokens);
}

describe.each(GATE_FORMS)('$form$wg, $capacity experts', (form) => {
  // A lane of this form scans all experts top_k times; scripts/README.md has the loop limit of Firefox's driver.
  const hasShortLoops = isFirefox && form.form === 'lane';
  const fits = (experts: number) => experts <= form.capacity;

  test.each(PRESETS.filter(([, , experts]) => fits(experts)))(
    '%s',
    async (_name, rule, experts, topK, hasBias) => {
      const size = { tokens: form.form === 'lane' ? 1000 : 20, experts, topK };
      const logits = randomNormal(size.tokens * experts, 1, 2);
      const bias = hasBias ? randomNormal(experts, 2, 0.2) : new Float32Array(experts);
      const got = await run(form, rule, size, logits, bias);
      expectRouting(got, gateReference(logits, bias, { ...size, rule }), size, rule, logits, bias);
    },
  );

  test.each(
    [
      [1, 1],
      [2, 2],
      [3, 1],
      [31, 31],
      [33, 2],
      [127, 64],
      [129, 7],
      [1024, 64],
    ].filter(([experts, topK]) => fits(experts!) && (!hasShortLoops || experts! * topK! < 65_000)),
  )('%i experts, top %i', async (experts = 0, topK = 0) => {
    const size = { tokens: 3, experts, topK };
    const logits = randomNormal(size.tokens * experts, 3, 2);
    const bias = randomNormal(experts, 4, 0.1);
    const rule = { ...softmaxRenorm, score: 'sigmoid' } as const;
    const got = await run(form, rule, size, logits, bias);
    expectRouting(got, gateReference(logits, bias, { ...size, rule }), size, rule, logits, bias);
  });

  test('equal logits: the lowest ids, equal weights', async () => {
    const size = { tokens: 2, experts: 40, topK: 5 };
    const logits = new Float32Array(80).fill(0.25);
    const { ids, weights } = await run(form, softmaxRenorm, size, logits, new Float32Array(40));
    expect([...ids]).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
    expectClose(weights, new Float32Array(10).fill(0.2));
  });

  test('extreme logits stay finite', async () => {
    const size = { tokens: 2, experts: 4, topK: 4 };
    const logits = new Float32Array([1e4, -1e4, 0, 300, -200, -300, -400, -500]);
    const bias = new Float32Array(4);
    for (const rule of [softmaxRenorm, { ...deepseek3, groups: null }]) {
      const got = await run(form, rule, size, logits, bias);
      const want = gateReference(logits, bias, { ...size, rule });
      expectClose(got.weights, want.weights, { absolute: 1e-6, label: rule.score });
    }
  });

  test('masked experts never appear; missing ranks are the sentinel with weight 0', async () => {
    const size = { tokens: 50, experts: 24, topK: 6 };
    const logits = randomNormal(size.tokens * 24, 5);
    const bias = new Float32Array(24).fill(-1e38);
    bias.fill(0, 7, 11); // four may be chosen
    const rule = deepseek3;
    const got = await run(form, rule, size, logits, bias);
    const want = gateReference(logits, bias, { ...size, rule });
    expect([...got.ids]).toEqual([...want.ids]);
    expectClose(got.weights, want.weights);
    expect(new Set(got.ids)).toEqual(new Set([7, 8, 9, 10, 24]));
  });
});

describe('stages in pairs', () => {
  test.each(gate.variants.map((variant) => [gate.key(variant), variant] as const))(
    '%s',
    async (_key, variant) => {
      const { score, select, weigh } = variant;
      const groups = select === 'all' ? null : { count: 5, keep: 3, score: select };
      const rule: RouterRule = { score, renorm: weigh, eps: 0.25, scale: 1.5, groups };
      const size = { tokens: 101, experts: 40, topK: 6 };
      // Positive, so that no sum of affinities is near zero.
      const logits = randomNormal(size.tokens * size.experts, 8).map(Math.abs);
      const bias = randomNormal(size.experts, 9, 0.1);
      const factors = variant.factored ? randomNormal(size.experts, 10) : undefined;
      const got = await run(variant, rule, size, logits, bias, factors);
      expectRouting(got, gateReference(logits, bias, { ...size, rule, factors }), size, rule, logits, bias);
    },
  );
});

describe('the rule', () => {
  const form = GATE_FORMS[0]!;
  const size = { tokens: 1001, experts: 64, topK: 8 };
  const logits = randomNormal(size.tokens * size.experts, 6);
  const zero = new Float32Array(64);

  test('permuting the tokens permutes the outputs bit for bit, and repeated runs agree', async () => {
    const reversed = new Float32Array(logits.length);
    for (let t = 0; t < size.tokens; t += 1) {
      reversed.set(logits.subarray(t * 64, (t + 1) * 64), (size.tokens - 1 - t) * 64);
    }
    const one = await run(form, deepseek3, size, logits, zero);
    const two = await run(form, deepseek3, size, reversed, zero);
    const again = await run(form, deepseek3, size, logits, zero);
    for (let t = 0; t < size.tokens; t += 1) {
      const other = (size.tokens - 1 - t) * 8;
      expect(two.ids.slice(other, other + 8)).toEqual(one.ids.slice(t * 8, t * 8 + 8));
      expect(two.weights.slice(other, other + 8)).toEqual(one.weights.slice(t * 8, t * 8 + 8));
    }
    expect(again).toEqual(one);
  });

  test('the bias affects selection but not weights; renormalised weights sum to one', async () => {
    const raw: RouterRule = { ...plain, score: 'softmax', renorm: 'none' };
    const bias = randomNormal(64, 7, 0.01);
    const one = await run(form, raw, size, logits, zero);
    const two = await run(form, raw, size, logits, bias);
    let moved = 0;
    for (let t = 0; t < size.tokens; t += 1) {
      const weightOf = new Map<number, number>();
      for (let at = t * 8; at < t * 8 + 8; at += 1) weightOf.set(one.ids[at]!, one.weights[at]!);
      for (let at = t * 8; at < t * 8 + 8; at += 1) {
        const before = weightOf.get(two.ids[at]!);
        if (before === undefined) moved += 1;
        else expect(two.weights[at]).toBe(before);
      }
    }
    expect(moved).toBeGreaterThan(100);
    const { weights } = await run(form, softmaxRenorm, size, logits, zero);
    for (let t = 0; t < size.tokens; t += 1) {
      let sum = 0;
      for (let at = t * 8; at < t * 8 + 8; at += 1) sum += weights[at]!;
      expect(Math.abs(sum - 1)).toBeLessThan(1e-5);
    }
  });

  test('the reference gives a hand-computed token', () => {
    const rule: RouterRule = { ...deepseek3, scale: 2, groups: { count: 2, keep: 1, score: 'two-best' } };
    // sigmoids 1/2, 3/4, 2/3, 1/2; with the bias 1/2, 3/4 | 2/3, 7/10: the second group has the larger value
    const { ids, weights } = gateReference(
      new Float32Array([0, Math.log(3), Math.log(2), 0]),
      new Float32Array([0, 0, 0, 0.2]),
      { tokens: 1, experts: 4, topK: 2, rule },
    );
    expect([...ids]).toEqual([3, 2]);
    expect([...weights].map((weight) => weight.toFixed(6))).toEqual(['0.857143', '1.142857']);
  });
});
