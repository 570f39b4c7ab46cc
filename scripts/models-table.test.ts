/** The sizes of docs/MODELS.md against figures that were computed by other means, from the same configs. */
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ARCHITECTURE_NAMES } from '../src/containers/gguf/architectures.ts';
import { PUBLISHED_MODELS } from '../src/engine/published-models.testing.ts';
import { sizesOf } from './models/sizes.ts';
import { ggufArchitectureOf, testsOf } from './models/tests.ts';

/**
 * Parameters are counted on the modules of transformers with the published config; bytes are 4.5 bits a weight (experts of
 * gpt-oss: 4.25), and the cache of 1,024 tokens is f16. Columns: all and active parameters in 10^9; one expert, a token's experts, all
 * experts, all else, and the cache in MB.
 */
const FIGURES: Record<string, readonly [number, number, number, number, number, number, number]> = {
  'granite-3.1-1b-a400m': [1.33, 0.429, 0.8847, 169.9, 679.5, 71.3, 50.3],
  'OLMoE-1B-7B': [6.92, 1.28, 3.5, 453, 3620, 268.1, 134.2],
  'Qwen1.5-MoE-A2.7B': [14.3, 2.69, 4.9, 467.1, 7010, 1050, 201.3],
  'gpt-oss-20b': [20.9, 4.19, 13.2, 1270, 10_160, 1010, 50.3],
  'ERNIE-4.5-21B-A3B': [21.8, 3.35, 6.6, 1070, 11_470, 810.6, 58.7],
  'Qwen3-30B-A3B': [30.5, 3.35, 2.7, 1020, 16_310, 866.9, 100.7],
  'Phi-3.5-MoE': [41.9, 6.64, 44.2, 2830, 22_650, 904.4, 134.2],
  'Mixtral-8x7B': [46.7, 12.9, 99.1, 6340, 25_370, 903.2, 134.2],
};

test.each(Object.entries(FIGURES))('%s has the sizes that others count', async (name, figures) => {
  const model = PUBLISHED_MODELS.find((each) => each.name === name)!;
  const { parameters, ...sizes } = await sizesOf(model);
  const [all, active, expert, token, routed, dense, cache] = figures;
  expectNear(parameters.all, all * 1e9, 0.005);
  expectNear(parameters.active, active * 1e9, 0.005);
  expectNear(sizes.expertBytes, expert * 1e6, 0.02); // of two digits
  expectNear(sizes.tokenBytes, token * 1e6, 0.005);
  expectNear(sizes.routedBytes, routed * 1e6, 0.005);
  // Norms and routers are f32 here.
  expect(sizes.denseBytes / (dense * 1e6)).toBeGreaterThan(0.995);
  expect(sizes.denseBytes / (dense * 1e6)).toBeLessThan(1.08);
  // Twice the bytes, for four times the tokens.
  expectNear(sizes.stateBytes, 8 * cache * 1e6, 0.005);
  const always = sizes.denseBytes + sizes.stateBytes;
  expect(sizes.leastBytes).toBeGreaterThan(always + sizes.tokenBytes);
  expect(sizes.allBytes).toBeGreaterThan(always + sizes.routedBytes);
  expectNear(sizes.allBytes, always + sizes.routedBytes, 0.05);
});

function expectNear(value: number, wanted: number, tolerance: number): void {
  expect(Math.abs(value / wanted - 1), `${value} for ${wanted}`).toBeLessThan(tolerance);
}

test.each([
  ['Doge-180M-MoE', 0.184, 0.117, 37.7],
  ['SmallThinker-4B-A0.6B', 4.03, 0.859, 2040],
  ['SmallThinker-21B-A3B', 21.5, 3.71, 11_040],
  ['granite-4.0-h-tiny', 6.94, 1.47, 3400],
  ['LFM2-8B-A1B', 8.34, 1.56, 4360],
  ['DeepSeek-V2-Lite', 15.7, 2.66, 8100],
  ['Mellum2-12B-A2.5B', 12.2, 2.44, 6240],
  ['Ling-mini-2.0', 16.2, 1.43, 8610],
  ['Ling-lite-1.5', 16.8, 2.75, 8720],
  ['Nemotron-3-Nano-30B-A3B', 31.6, 3.6, 16_520],
  ['Qwen3-Next-80B-A3B', 79.7, 3.87, 43_490],
  ['gemma-4-26B-A4B (text)', 25.2, 3.82, 12_850],
  ['Llama-4-Scout (text)', 108, 17.2, 54_360],
])('%s has the parameters that others count', async (name, all, active, routed) => {
  const { parameters, routedBytes } = await sizesOf(PUBLISHED_MODELS.find((each) => each.name === name)!);
  expectNear(parameters.all, all * 1e9, 0.005);
  expectNear(parameters.active, active * 1e9, 0.01); // of two digits
  expectNear(routedBytes, routed * 1e6, 0.005);
});

test('a family is tested from a GGUF file where it has one, and the file is of an architecture that is read', async () => {
  const withFile = readdirSync('fixtures/gguf')
    .filter((name) => name.endsWith('.gguf'))
    .map((name) => name.slice(0, -'.gguf'.length));
  const families = new Set([...withFile, ...readdirSync('fixtures/models')]);
  const tested = [...families].filter((family) => testsOf(family).includes('GGUF'));
  expect(tested).toEqual(withFile);
  for (const family of tested) expect(ARCHITECTURE_NAMES).toContain(await ggufArchitectureOf(family));
});

test('the words for tests are those that name a family or run every fixture', async () => {
  expect(testsOf('qwen3_moe')).toEqual(['logits 1e-4', 'hardware', 'f16', 'GGUF']);
  expect(testsOf('hy_v3')).toEqual(['logits 1e-4', 'hardware', 'f16']);
  expect(testsOf('smallthinker')).toEqual(['[own test](../src/engine/smallthinker.gpu.test.ts)']);
  expect(testsOf('bailing_moe_v2')).toEqual(['[plain loops](../src/engine/plain-families.gpu.test.ts)']);
  expect(testsOf('no_such_family')).toEqual([]);
  expect(await ggufArchitectureOf('smallthinker')).toBe('smallthinker');
  expect(await ggufArchitectureOf('bailing_moe_v2')).toBe('bailingmoe2');
  expect(await ggufArchitectureOf('hy_v3')).toBeUndefined();
});
