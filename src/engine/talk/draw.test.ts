import { describe, expect, test } from 'vitest';
import { parseRecord, type Candidates } from '../../kernels/sample/sample-record.ts';
import { sampleReference } from '../../kernels/sample/sample.reference.ts';
import { randomNormal } from '../../kernels/testing.ts';
import { allCandidates, draw, type Draw, type DrawOptions } from './draw.ts';
import { uniform } from './random.ts';

const OFF: DrawOptions = { temperature: 1, topK: 0, topP: 1, minP: 0 };

/** What the GPU would send: the best 64. */
function short(logits: Float32Array<ArrayBuffer>, { temperature }: DrawOptions): Candidates {
  const inverseTemperature = 1 / (temperature || 1);
  return parseRecord(sampleReference(logits, { candidates: 64, inverseTemperature }), logits.length)!;
}

/** The same rules, told the plain way: filter and renormalise, step by step, over all logits. */
function plainDistribution(
  logits: Float32Array,
  { temperature, topK, topP, minP }: DrawOptions,
): Map<number, number> {
  const normalised = (entries: [number, number][]) => {
    const sum = entries.reduce((all, [, weight]) => all + weight, 0);
    return entries.map(([id, weight]): [number, number] => [id, weight / sum]);
  };
  let entries = [...logits].map((logit, id): [number, number] => [id, logit]);
  entries.sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  const best = entries[0]![1];
  entries = entries.map(([id, logit]) => [id, Math.exp((logit - best) / temperature)]);
  if (topK > 0) entries = entries.slice(0, topK);
  entries = normalised(entries);
  let held = 0;
  entries = entries.filter(([, share]) => {
    const isKept = held < topP || held === 0; // the best always stays
    held += share;
    return isKept;
  });
  entries = normalised(entries);
  const largest = entries[0]![1];
  return new Map(normalised(entries.filter(([, share]) => share >= minP * largest)));
}

const idOf = (drawn: Draw) => (drawn.kind === 'token' ? drawn.id : undefined);

const RULES: readonly Partial<DrawOptions>[] = [
  {},
  { temperature: 0.7 },
  { temperature: 1.8 },
  { topK: 1 },
  { topK: 20 },
  { topK: 64 },
  { topK: 65 },
  { topP: 0.5 },
  { topP: 0.95 },
  { topP: 0 },
  { minP: 0.05 },
  { minP: 1 },
  { temperature: 0.8, topK: 40, topP: 0.9, minP: 0.02 },
  { temperature: 2, topP: 0.99 },
  { topK: 5000 },
];

describe.each(RULES.map((rules) => [JSON.stringify(rules), { ...OFF, ...rules }] as const))(
  '%s',
  (_name, options) => {
    const logits = randomNormal(300, 1, 2.5);

    test('candidates give what all logits give, or say that they cannot', () => {
      const [few, all] = [short(logits, options), allCandidates(logits, options.temperature)];
      for (let step = 0; step < 300; step += 1) {
        const drawn = draw(few, options, uniform(1, step));
        const want = draw(all, options, uniform(1, step));
        expect(want.kind).toBe('token');
        if (drawn.kind === 'token') {
          expect(drawn.id).toBe(idOf(want));
          expect(drawn.logprob).toBeCloseTo(want.kind === 'token' ? want.logprob : NaN, 5);
        }
      }
    });

    test('evenly spaced draws hit each token as often as its share says', () => {
      const all = allCandidates(logits, options.temperature);
      const shares = plainDistribution(logits, options);
      const counts = new Map<number, number>();
      const draws = 1000;
      for (let i = 0; i < draws; i += 1) {
        const id = idOf(draw(all, options, (i + 0.5) / draws))!;
        counts.set(id, (counts.get(id) ?? 0) + 1);
      }
      for (const id of counts.keys()) expect(shares.has(id)).toBe(true);
      for (const [id, share] of shares) {
        // An interval of length share * draws holds that many evenly spaced points, give or take one.
        expect(Math.abs((counts.get(id) ?? 0) - share * draws)).toBeLessThan(1.001);
      }
    });
  },
);

describe('when candidates suffice', () => {
  const flat = randomNormal(2048, 2, 0.1);
  const peaked = randomNormal(2048, 2, 6);

  test('they do where the kept tokens are all among them', () => {
    for (const rules of [{ topK: 64 }, { topP: 0.9 }, { minP: 0.01 }]) {
      const options = { ...OFF, ...rules };
      const few = short(peaked, options);
      for (let step = 0; step < 200; step += 1) {
        expect(draw(few, options, uniform(2, step)).kind).toBe('token');
      }
    }
  });

  test('without top-p they do where the draw falls among them', () => {
    const few = short(flat, OFF);
    const covered = [...few.logits].reduce((sum, logit) => sum + Math.exp(logit - few.logits[0]!), 0);
    const share = covered / few.temperedSum; // about 64 in 2048
    expect(draw(few, OFF, share - 1e-4).kind).toBe('token');
    expect(draw(few, OFF, share + 1e-4).kind).toBe('insufficient');
  });

  test('they do not where more tokens are kept than there are candidates', () => {
    for (const rules of [{ topK: 65 }, { topP: 0.9 }, { minP: 0.5 }]) {
      const options = { ...OFF, ...rules };
      expect(draw(short(flat, options), options, 0.5).kind).toBe('insufficient');
    }
  });

  test('a short vocabulary is always covered', () => {
    const logits = randomNormal(64, 3);
    const few = short(logits, OFF);
    for (let step = 0; step < 100; step += 1) {
      expect(draw(few, OFF, uniform(3, step)).kind).toBe('token');
    }
  });
});

test('temperature 0 takes the largest logit, the lower id among equals', () => {
  const logits = new Float32Array([1, 4, 0, 4]);
  const options = { ...OFF, temperature: 0 };
  const drawn = draw(short(logits, options), options, 0.99);
  const logprob = -Math.log(2 + Math.exp(-3) + Math.exp(-4));
  expect(drawn).toEqual({ kind: 'token', id: 1, logprob: expect.closeTo(logprob, 6) as number });
});

test('log-probabilities are those of temperature 1', () => {
  const options = { ...OFF, temperature: 0.5 };
  const drawn = draw(short(new Float32Array([Math.log(3), 0]), options), options, 0.999);
  expect(drawn).toEqual({ kind: 'token', id: 1, logprob: expect.closeTo(Math.log(0.25), 6) as number });
});

test('the largest number below 1 draws the last kept token', () => {
  const logits = randomNormal(50, 4);
  const options = { ...OFF, topP: 0.8 };
  const shares = plainDistribution(logits, options);
  expect(idOf(draw(allCandidates(logits, 1), options, 1 - 2 ** -53))).toBe([...shares.keys()].at(-1));
});

test('all candidates are in order', () => {
  const all = allCandidates(new Float32Array([0, -1, -0, 3, -1e30, 1e30, 3]), 1);
  expect([...all.ids]).toEqual([5, 3, 6, 0, 2, 1, 4]);
});
