import { AtomoeError } from '../../errors.ts';
import type { DispatchReport } from '../api.ts';
import type { DispatchTime, Runner, RunnerState, RunnerTools, StepRequest } from './runner.ts';

/** The clocks of browsers are coarse: a mean of several steps says more than one. */
const ROUNDS = 8;

/** As a reply that draws its tokens asks for steps. */
const REQUEST: StepRequest = {
  ids: [0],
  past: 0,
  penalty: 1,
  temperature: 1,
  candidates: true,
  routes: false,
};

/**
 * What a step of one token consists of, and the mean time of each dispatch; empty where no GPU runs the model. Meanwhile
 * there is a KV cache beside those of sessions, whatever the memory budget.
 */
export async function profileStep(runner: Runner): Promise<DispatchReport[]> {
  const { tools } = runner;
  if (!tools) return [];
  return tools.beyondBudget(async () => {
    const state = await runner.openState();
    try {
      return await timeSteps(tools, state);
    } catch (error) {
      const isUntimed = error instanceof AtomoeError && error.code === 'limit-too-small';
      if (!isUntimed) throw error;
      return tools.list(state, REQUEST).map(({ label, key }) => ({ label, kernel: key, ms: undefined }));
    } finally {
      state.dispose();
    }
  });
}

async function timeSteps(tools: RunnerTools, state: RunnerState): Promise<DispatchReport[]> {
  await tools.profile(state, REQUEST); // the first one is slower
  const rounds: DispatchTime[][] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await tools.profile(state, REQUEST));
  return tools.list(state, REQUEST).map(({ label, key }, at) => {
    const ms = rounds.reduce((sum, times) => sum + (times[at]?.ms ?? 0), 0) / ROUNDS;
    return { label, kernel: key, ms };
  });
}
