/** `<atomoe-memory>` in a real browser. */
import { afterEach, beforeAll, expect, test, vi } from 'vitest';

beforeAll(async () => void (await import('./define.ts')));

afterEach(() => document.body.replaceChildren());

const REPORT = {
  totalBytes: 4_000_000,
  weightsBytes: 1_000_000,
  expertsBytes: 3_000_000,
  kvCacheBytes: 0,
  activationsBytes: 0,
  stagingBytes: 0,
};

test('says what takes the memory, by kind, and nothing where nothing does', async () => {
  const memory = document.createElement('atomoe-memory');
  memory.report = REPORT; // before it is on the page: what draws it comes then
  document.body.append(memory);
  await vi.waitFor(() =>
    expect(memory.shadowRoot?.querySelector('p')?.textContent).toBe('4.0 MB of memory in use'),
  );
  const root = memory.shadowRoot!;
  const shown = () =>
    [...root.querySelectorAll('li')].filter(({ hidden }) => !hidden).map(({ textContent }) => textContent);
  expect(shown()).toEqual(['experts 3.0 MB', 'other weights 1.0 MB']);
  const parts = [...root.querySelectorAll<HTMLElement>('.bar span')].filter(({ hidden }) => !hidden);
  const [experts, weights] = parts.map((each) => each.getBoundingClientRect().width);
  expect(experts! / weights!).toBeCloseTo(3, 1);
  memory.where = 'GPU memory';
  expect(root.querySelector('p')!.textContent).toBe('4.0 MB of GPU memory in use');
  memory.report = undefined;
  expect(root.querySelector('p')!.textContent).toBe('Nothing loaded yet.');
  expect(root.querySelector('ul')!.hidden).toBe(true);
});
