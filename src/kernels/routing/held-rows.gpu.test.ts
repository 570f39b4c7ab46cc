import { expect, test } from 'vitest';
import { numbers, randomNormal, runKernel, testGpu } from '../testing.ts';
import { heldRows } from './held-rows.ts';
import { heldRowsReference } from './held-rows.reference.ts';

const gpu = await testGpu();

test.each([
  [1, 0, 5, 3],
  [1, 7, 5, 3],
  [11, 4, 7, 3],
  [6, 5, 70, 1],
  [9, 0, 3, 100],
  [9, 8, 3, 100],
])('%i tokens after %i, of %i columns in runs of %i', async (tokens, past, cols, every) => {
  const x = randomNormal(tokens * cols, 1);
  const kept = randomNormal(Math.ceil((past + tokens) / every) * cols, 2);
  const want = heldRowsReference(x, kept, { tokens, past, cols, every });
  for (const keeps of [0, 1]) {
    const [variant] = heldRows.variants;
    const found = await runKernel(gpu, heldRows, variant!, {
      buffers: { x, kept: kept.slice(), y: { type: 'f32', count: tokens * cols } },
      params: { tokens, past, cols, every, keeps },
      size: { tokens, cols },
    });
    expect(numbers(found.y)).toEqual(want.y);
    expect(numbers(found.kept)).toEqual(keeps === 1 ? want.kept : kept);
  }
});

test('the reference holds the first row of each run, over steps too', () => {
  const all = heldRowsReference(Float32Array.from([1, 2, 3, 4, 5]), new Float32Array(3), {
    ...{ tokens: 5, past: 0, cols: 1, every: 2 },
  });
  expect([...all.y]).toEqual([1, 1, 3, 3, 5]);
  expect([...all.kept]).toEqual([1, 3, 5]);
  const last = heldRowsReference(Float32Array.from([4, 5]), all.kept, {
    tokens: 2,
    past: 3,
    cols: 1,
    every: 2,
  });
  expect([...last.y]).toEqual([3, 5]);
});
