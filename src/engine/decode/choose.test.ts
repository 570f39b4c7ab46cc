/** Choosing by logits of the caller's: what a sort of all of them would choose, and only what may come. */
import { expect, test } from 'vitest';
import type { CheckedOptions } from '../options.ts';
import { allCandidates, draw } from '../talk/draw.ts';
import { uniform } from '../talk/random.ts';
import { chooseToken } from './choose.ts';
import type { ModelPrediction } from './prediction.ts';

const VOCAB = 3000;
const optionsOf = (given: Partial<CheckedOptions>) =>
  ({ temperature: 1, topK: 0, topP: 1, minP: 0, seed: 5, ...given }) as CheckedOptions;
const predictionAt = (position: number) =>
  ({ position, logprob: () => -1, likeliest: () => [], routes: undefined }) as unknown as ModelPrediction;

/** Steep or flat, with some tokens that may not come and ties. */
function logitsOf(position: number, spread: number): Float32Array {
  return Float32Array.from({ length: VOCAB }, (_, id) =>
    (id * 7 + position) % 3 === 0 ? -Infinity : Math.round(40 * spread * uniform(position, id)) / 4,
  );
}

test.each<[name: string, options: Partial<CheckedOptions>]>([
  ['all', {}],
  ['warm', { temperature: 2 }],
  ['cold', { temperature: 0.3 }],
  ['top-p', { topP: 0.9 }],
  ['top-k', { topK: 40 }],
  ['more than are near', { topK: 2500, topP: 0.999 }],
  ['min-p', { minP: 0.05 }],
  ['greedy', { temperature: 0 }],
])('%s', (_, given) => {
  const options = optionsOf(given);
  for (const spread of [0.1, 1, 4]) {
    for (let position = 0; position < 20; position += 1) {
      const logits = logitsOf(position, spread);
      const allowed = [...logits.keys()].filter((id) => logits[id] !== -Infinity);
      const chance = uniform(options.seed, position);
      const wanted = draw(allCandidates(logits, options.temperature, allowed), options, chance);
      const { id } = chooseToken(predictionAt(position), options, { logits });
      expect(wanted).toMatchObject({ kind: 'token', id });
      expect(logits[id]).not.toBe(-Infinity);
    }
  }
});

test.each([
  ['allow no token', new Float32Array(4).fill(-Infinity)],
  ['hold a NaN or Infinity', Float32Array.of(1, NaN)],
  ['hold a NaN or Infinity', Float32Array.of(1, Infinity)],
])('logits that %s are refused', (says, logits) => {
  const choose = () => chooseToken(predictionAt(0), optionsOf({}), { logits });
  expect(choose).toThrow(
    expect.objectContaining({ code: 'bad-input', message: expect.stringContaining(says) }),
  );
});
