import { expect, test, vi } from 'vitest';
import { AtomoeError } from '../errors.ts';
import { FakeEngine } from './fake-engine.ts';
import { bytesBeforeFirstToken, describePlan } from './format.ts';
import { describeBudget, holdsAll, MemoryBudget, speakBudget, type BudgetState } from './memory-budget.ts';

const DELAY_MS = 5;

async function setUp() {
  const engine = new FakeEngine();
  const { plan } = await engine.load('m/');
  const states: BudgetState[] = [];
  const resize = vi.spyOn(engine, 'resize');
  const onChange = (state: BudgetState): void => void states.push(state);
  const budget = new MemoryBudget({ engine, plan, onChange, delayMs: DELAY_MS });
  const settle = (): Promise<void> => vi.waitFor(() => expect(budget.state.isChanging).toBe(false));
  return { engine, plan, budget, states, resize, settle };
}

test('begins at the top: everything is there', async () => {
  const { budget, plan } = await setUp();
  expect(budget.state).toMatchObject({ leastBytes: 2e6, mostBytes: 17.15e6, bytes: 17.15e6, plan });
  expect(describeBudget(plan, 16)).toBe('There is room for all experts.');
  expect(speakBudget(budget.state)).toBe('17 MB of 17 MB, room for all experts');
});

test('the engine hears the last word of a moving hand', async () => {
  const { budget, resize, settle } = await setUp();
  for (const bytes of [12e6, 11e6, 10e6, 9.5e6]) budget.ask(bytes);
  expect(budget.state).toMatchObject({ bytes: 9.5e6, isChanging: true });
  await settle();
  expect(resize.mock.calls).toEqual([[{ memoryBudget: 9.5e6, streaming: { start: 'now' } }]]);
  expect(budget.state.plan).toMatchObject({ streams: true, slotsPerLayer: 8 });
});

test('a wish that comes during a change waits for it, and only the newest is granted', async () => {
  const { budget, engine, resize, settle } = await setUp();
  let release = (): void => {};
  resize.mockImplementationOnce(async (change) => {
    await new Promise<void>((resolve) => (release = resolve));
    return FakeEngine.prototype.resize.call(engine, change);
  });
  budget.ask(12e6);
  await vi.waitFor(() => expect(resize).toHaveBeenCalledTimes(1));
  budget.ask(8e6);
  await new Promise((resolve) => setTimeout(resolve, 3 * DELAY_MS));
  budget.ask(4e6);
  await new Promise((resolve) => setTimeout(resolve, 3 * DELAY_MS));
  expect(resize).toHaveBeenCalledTimes(1);
  release();
  await settle();
  expect(resize.mock.calls.map(([change]) => change.memoryBudget)).toEqual([12e6, 4e6]);
});

test('a refusal says why and snaps back to what was granted last', async () => {
  const { budget, resize, settle } = await setUp();
  budget.ask(10e6);
  await settle();
  resize.mockRejectedValueOnce(new AtomoeError('out-of-memory', 'the GPU has no room; close other tabs'));
  budget.ask(16e6);
  await settle();
  const problem = { code: 'out-of-memory', detail: 'the GPU has no room; close other tabs' };
  expect(budget.state).toMatchObject({ bytes: 10e6, problem });
  budget.ask(9e6); // the next wish takes the sentence away
  expect(budget.state.problem).toBeUndefined();
  await settle();
  expect(budget.state.bytes).toBe(9e6);
});

test('what lies outside of the slider is its end; what was already granted is not asked again', async () => {
  const { budget, resize, settle } = await setUp();
  budget.ask(1e12);
  await settle();
  expect(resize).not.toHaveBeenCalled();
  budget.ask(0);
  await settle();
  expect(resize.mock.calls[0]?.[0].memoryBudget).toBe(2e6);
});

test('after dispose nothing is asked and nothing said', async () => {
  const { budget, resize, states } = await setUp();
  budget.ask(5e6);
  budget.dispose();
  const said = states.length;
  await new Promise((resolve) => setTimeout(resolve, 3 * DELAY_MS));
  expect(resize).not.toHaveBeenCalled();
  expect(states).toHaveLength(said);
});

test('a model that did not fit whole has its top where it would', async () => {
  const { plan, engine } = await setUp();
  const bytes = { ...plan.bytes, experts: 4e6, gpuTotal: 5.15e6 };
  const partial = { ...plan, bytes, streams: true, slotsPerLayer: 4, cacheRatio: 2 };
  const budget = new MemoryBudget({ engine, plan: partial, onChange: () => {} });
  expect(holdsAll(partial)).toBe(false);
  expect(budget.state.mostBytes).toBe(17.15e6 + 4 * 2 * 16); // with a table entry for each expert
  expect(describeBudget(partial, 16)).toBe(
    '4 of 16 experts per layer have a place, 2.0 × what a token needs at most.',
  );
  expect(describeBudget(partial, undefined)).toContain('4 experts per layer');
  expect(describeBudget({ ...partial, experts: 1024 }, 16)).toContain(
    '4 of 16 pages of 64 experts per layer',
  );
  expect(speakBudget(budget.state)).toBe('5.2 MB of 17 MB, 4 places per layer');
});

test('what the first word needs: the dense part, and the experts that a prompt touches', async () => {
  const { plan } = await setUp();
  const bytes = { ...plan.bytes, download: 17e6, dense: 1e6, allExperts: 16e6, perToken: 4e6 };
  expect(bytesBeforeFirstToken({ ...plan, bytes }, 1)).toBe(5e6);
  expect(bytesBeforeFirstToken({ ...plan, bytes }, 2)).toBe(8e6);
  expect(bytesBeforeFirstToken({ ...plan, bytes }, 1e6)).toBe(17e6);
  expect(bytesBeforeFirstToken({ ...plan, bytes: { ...bytes, allExperts: 0 } }, 1)).toBe(17e6);
  // A host without ranges sends all of it before anything.
  const notes = [{ kind: 'no-ranges', message: 'of the host' }] as const;
  expect(bytesBeforeFirstToken({ ...plan, bytes, notes }, 1)).toBe(17e6);
  expect(describePlan({ ...plan, notes })).toMatch(
    /^Loading downloads 17 MB .* the first word waits for all of it\.$/,
  );
  expect(describePlan(plan)).not.toContain('host');
});
