import { describe, expect, test } from 'vitest';
import { contrasted } from './contrast.ts';

const RULE = { beta: 0.5, alpha: 0.1, strongTemperature: 1, weakTemperature: 1 };
const strong = Float32Array.of(4, 3, 1, 4);
const weak = Float32Array.of(4, 1, -9, 2);

describe('contrasted logits', () => {
  test('(1 + beta) z_s - beta z_w, of those within ln alpha of the best', () => {
    // ln 0.1 = -2.3: a logit of 1 is too low.
    expect([...contrasted(strong, weak, RULE)]).toEqual([4, 4, -Infinity, 5]);
  });

  test('temperatures of their own', () => {
    const rule = { ...RULE, strongTemperature: 2, weakTemperature: 0.5 };
    expect([...contrasted(strong, weak, rule)]).toEqual([-1, 1.25, -Infinity, 1]);
  });

  test('beta = 0 is the strong model', () => {
    expect(contrasted(strong, weak, { ...RULE, beta: 0, alpha: 0 })).toEqual(strong);
  });

  test('alpha = 1 keeps the largest logits only, and alpha = 0 keeps all', () => {
    expect([...contrasted(strong, weak, { ...RULE, alpha: 1 })]).toEqual([4, -Infinity, -Infinity, 5]);
    expect([...contrasted(strong, weak, { ...RULE, alpha: 0 })]).toEqual([4, 4, 6, 5]);
  });

  test('weak = strong changes nothing but rounding', () => {
    expect(contrasted(strong, strong, { ...RULE, alpha: 0 })).toEqual(strong);
  });
});
