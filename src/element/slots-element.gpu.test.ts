/** `<atomoe-slots>` in a real browser, on a scripted engine. */
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { StreamingReport } from '../engine/api.ts';
import { FakeEngine } from './fake-engine.ts';
import type { SlotsElement } from './slot-view.ts';
import { slotReport } from './slots.test-support.ts';

beforeAll(() => import('./define.ts'));
afterEach(() => document.body.replaceChildren());

async function slotsWith(first: StreamingReport | undefined) {
  const engine = new FakeEngine({ layers: 2, perLayer: 4 });
  await engine.load('m/');
  let report = first;
  const asked = vi.spyOn(engine, 'streaming').mockImplementation(async () => report);
  const slots = document.createElement('atomoe-slots');
  slots.style.width = '400px';
  document.body.append(slots);
  slots.follow(engine);
  const root = slots.shadowRoot!;
  const canvas = root.querySelector('canvas')!;
  const text = (selector: string): string => root.querySelector(selector)!.textContent;
  const set = (next: StreamingReport): void => void (report = next);
  return { engine, slots, root, canvas, text, asked, set };
}

/** Different colours on the picture. */
function colours(canvas: HTMLCanvasElement): number {
  const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size;
}

function cells(slots: SlotsElement): string[] {
  return [...slots.shadowRoot!.querySelectorAll('tbody tr')].map((row) =>
    [...row.children].map((cell) => cell.textContent).join(' '),
  );
}

test('draws a row per layer, names it, and says it again as a table', async () => {
  const { slots, canvas } = await slotsWith(slotReport(['##~.', '#?..']));
  await vi.waitFor(() => expect(colours(canvas)).toBeGreaterThan(3));
  expect(canvas.getAttribute('aria-label')).toBe(
    'Experts in memory: 2 layers of 4 experts, with 2 places each. ' +
      '3 are here, 1 on their way, 1 guessed, 3 not here. The table below says it for each layer.',
  );
  await vi.waitFor(() => expect(cells(slots)).toEqual(['0 2 1 0 1 –', '1 1 0 1 2 80 %']));
});

test('asks while the model talks, and stops when it does not and nothing arrives', async () => {
  const { slots, asked, set, text, root } = await slotsWith(slotReport(['##..', '##..']));
  await vi.waitFor(() => expect(slots.report).toBeDefined());
  const atRest = asked.mock.calls.length;
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(asked.mock.calls.length).toBe(atRest);
  slots.talking = true;
  set(slotReport(['##..', '##..'], { tokens: 1 }));
  await vi.waitFor(() => expect(slots.report?.tokens).toBe(1));
  set(
    slotReport(['#.#.', '##..'], {
      tokens: 3,
      hits: 9,
      misses: 1,
      uploadedBytes: 2e6,
      adopted: 4,
      wasted: 2,
    }),
  );
  await vi.waitFor(() => expect(text('dl')).toContain('Here when needed90 %'));
  expect(text('dl')).toContain('Fetched per token1.0 MB');
  expect(text('dl')).toContain('Guesses used4');
  expect(root.querySelector('dl')!.hidden).toBe(false);
  slots.talking = false;
  await new Promise((resolve) => setTimeout(resolve, 300));
  const afterwards = asked.mock.calls.length;
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(asked.mock.calls.length).toBe(afterwards);
});

test('asks while experts still arrive, until all are here', async () => {
  const { set, asked, text } = await slotsWith(slotReport(['#...', '....'], { slotsPerLayer: 4 }));
  await vi.waitFor(() => expect(asked.mock.calls.length).toBeGreaterThan(1));
  set(slotReport(['####', '####'], { slotsPerLayer: 4 }));
  const said = 'Everything is here: nothing has to be fetched.';
  await vi.waitFor(() => expect(text('.readout')).toBe(said), { timeout: 10_000 });
  const done = asked.mock.calls.length;
  await new Promise((resolve) => setTimeout(resolve, 1200));
  expect(asked.mock.calls.length).toBe(done);
});

test('asks nothing while nobody can see it', async () => {
  const { slots, asked } = await slotsWith(slotReport(['#...', '....'], { slotsPerLayer: 4 }));
  await vi.waitFor(() => expect(asked).toHaveBeenCalled());
  slots.style.display = 'none';
  await new Promise((resolve) => setTimeout(resolve, 400));
  const hidden = asked.mock.calls.length;
  slots.talking = true;
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(asked.mock.calls.length).toBe(hidden);
  slots.style.display = '';
  await vi.waitFor(() => expect(asked.mock.calls.length).toBeGreaterThan(hidden));
});

test('an engine without experts, one without a model, and none at all show nothing', async () => {
  const heard = vi.fn();
  document.body.addEventListener('slots-report', (event) => heard(event.detail), { once: true });
  const { slots, canvas, engine, asked } = await slotsWith(undefined);
  await vi.waitFor(() => expect(heard).toHaveBeenCalledWith(null));
  expect(canvas.hidden).toBe(true);
  asked.mockImplementation(() => {
    throw new Error('no model'); // as the engine in the page does
  });
  slots.follow(engine);
  slots.follow(undefined);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(canvas.hidden).toBe(true);
});
