/** What tests of hooks share: a prompt in one step, and forced tokens after it. */
import { expect } from 'vitest';
import type { RoutingHooks, TokenRoutes } from './api.ts';
import type { Runner } from './run/runner.ts';
import { readHooks, type HookedModel } from './talk/hooks.ts';
import { firstDifference } from './testing.ts';

const PROMPT_TOKENS = 7;
const plain = { penalty: 1, temperature: 1, candidates: false, routes: false };

/** What a run gave. */
export interface Run {
  readonly logits: Float32Array; // of the prompt's last token and of all after it
  readonly trace: readonly TokenRoutes[];
}

/** What is run. */
export interface Given {
  readonly runner: Runner;
  readonly ids: readonly number[];
  readonly model: HookedModel;
}

/** A prompt in one step, and forced tokens after it. */
export async function run({ runner, ids, model }: Given, given?: RoutingHooks): Promise<Run> {
  const hooks = given && readHooks(given, model);
  const state = await runner.openState();
  const rows: number[] = [];
  const trace: TokenRoutes[] = [];
  try {
    for (let past = 0; past < ids.length;) {
      const part = past === 0 ? ids.slice(0, PROMPT_TOKENS) : ids.slice(past, past + 1);
      const step = await runner.step(state, { ...plain, ids: part, past, hooks });
      rows.push(...(await step.logits()));
      trace.push(...(await runner.trace(state)));
      past += part.length;
    }
  } finally {
    state.dispose();
  }
  return { logits: Float32Array.from(rows), trace };
}

/** Expects two runs to have the same bits and routes. */
export function expectSame(got: Run, want: Run): void {
  expect(firstDifference(got.logits, want.logits)).toBe('equal');
  expect(got.trace).toEqual(want.trace);
}
