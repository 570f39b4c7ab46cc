import { expect, test } from 'vitest';

test('the test browser has a WebGPU adapter with subgroups and timestamps', async () => {
  const adapter = await navigator.gpu.requestAdapter();
  expect(adapter).not.toBeNull();
  expect([...adapter!.features]).toEqual(expect.arrayContaining(['subgroups', 'timestamp-query']));
});
