import { expect, test } from 'vitest';
import { activate, erfc, gated } from './activation.reference.ts';
import { activationCode, type Activation } from './activation.ts';

test('erfc equals tabulated values for both of its series', () => {
  const table = [
    [0, 1],
    [0.5, 0.4795001221869535],
    [1, 0.15729920705028513],
    [1.9999, 0.004679801],
    [2, 0.004677734981047266],
    [3, 2.209049699858544e-5],
    [-1, 1.8427007929497148],
  ] as const;
  for (const [x, want] of table) expect(Math.abs(erfc(x) / want - 1), `erfc(${x})`).toBeLessThan(1e-6);
  expect(Math.abs(erfc(2 - 1e-12) - erfc(2))).toBeLessThan(1e-13);
});

test('clamped SwiGLU has known values', () => {
  const at = (gate: number, up: number) => gated(activationCode('clamped-swiglu'), gate, up);
  expect(at(1, 0)).toBeCloseTo(1 / (1 + Math.exp(-1.702)), 12);
  expect(at(9, 20)).toBeCloseTo((8 * 7) / (1 + Math.exp(-11.914)), 12);
  expect(at(-2, -9)).toBeCloseTo((-6 * -2) / (1 + Math.exp(3.404)), 12);
  expect(gated(activationCode('relu'), 2, 3)).toBe(6);
});

test('activations have known values', () => {
  const at = (name: Activation, x: number) => activate(activationCode(name), x);
  expect(at('silu', 1)).toBeCloseTo(0.7310585786, 9);
  expect(at('gelu', 1)).toBeCloseTo(0.8413447461, 9);
  expect(at('gelu', -3)).toBeCloseTo(-0.0040496941, 9);
  expect(at('gelu-tanh', 1)).toBeCloseTo(0.8411919906, 9);
  expect([at('relu', -2), at('relu', 2), at('relu2', -3), at('relu2', 3)]).toEqual([0, 2, 0, 9]);
});
