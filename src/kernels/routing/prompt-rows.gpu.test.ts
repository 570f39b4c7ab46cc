import { expect, test } from 'vitest';
import { numbers, randomNormal, runKernel, testGpu } from '../testing.ts';
import { promptRows } from './prompt-rows.ts';
import { promptRowsReference } from './prompt-rows.reference.ts';

const gpu = await testGpu();

test.each([
  [1, 0, 5],
  [9, 0, 70],
  [1, 3, 130],
])('%i tokens after %i, of %i columns', async (tokens, past, cols) => {
  const row = randomNormal(cols, 1);
  const x = Float32Array.from({ length: tokens * cols }, (_, at) => row[at % cols] ?? 0);
  const before = randomNormal(cols, 2);
  const want = promptRowsReference(x, before, { tokens, past, cols });
  for (const variant of promptRows.variants) {
    const { y } = await runKernel(gpu, promptRows, variant, {
      buffers: {
        ...{ x, before, y: { type: 'f32', count: tokens * cols } },
        ...(variant.keeps ? { after: { type: 'f32', count: cols } } : {}),
      },
      params: { tokens, past, cols },
      size: { tokens, cols },
    });
    expect(numbers(y)).toEqual(want.y);
  }
});

test('the reference gives all tokens the row of the first step', () => {
  const prompt = Float32Array.from([1, 2, 1, 2]);
  const first = promptRowsReference(prompt, new Float32Array(2), { tokens: 2, past: 0, cols: 2 });
  expect([...first.y]).toEqual([1, 2, 1, 2]);
  const next = promptRowsReference(Float32Array.from([3, 4]), first.after, { tokens: 1, past: 2, cols: 2 });
  expect([...next.y, ...next.after]).toEqual([1, 2, 1, 2]);
});

test('a part of a prompt behind another is refused', () => {
  const cut = () =>
    promptRowsReference(new Float32Array(6), new Float32Array(2), { tokens: 3, past: 2, cols: 2 });
  expect(cut).toThrow(/3 tokens come behind 2/);
});
