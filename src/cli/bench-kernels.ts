/** Where a step's time goes, by the GPU's own clock. */
import { invariant } from '../errors.ts';
import type { DispatchTime, Runner } from '../engine/run/runner.ts';
import { median, table } from './words.ts';

/** One kernel's part of a step. */
export interface KernelTime {
  readonly key: string; // the pipeline's: name, types, shape
  readonly dispatches: number;
  readonly ms: number; // of all of them: the median over rounds
}

/** Times of the kernels of one prefill chunk and one token. */
export interface KernelTimes {
  readonly prefill: readonly KernelTime[]; // of one chunk
  readonly decode: readonly KernelTime[]; // of one token behind it
}

const REQUEST = { penalty: 1, temperature: 1, candidates: false, routes: false } as const;

/** @throws {AtomoeError} limit-too-small - the device has no timestamp queries */
export async function timeKernels(
  runner: Runner,
  prompt: readonly number[],
  rounds: number,
  signal: AbortSignal,
): Promise<KernelTimes> {
  const { tools } = runner;
  invariant(tools, () => 'kernels are timed on a GPU only');
  const ids = prompt.slice(0, runner.chunkTokens);
  const steps = { prefill: [] as Profile[], decode: [] as Profile[] };
  for (let round = 0; round < rounds; round += 1) {
    signal.throwIfAborted();
    const state = await runner.openState();
    try {
      steps.prefill.push(await tools.profile(state, { ids, past: 0, ...REQUEST }));
      steps.decode.push(await tools.profile(state, { ids: ids.slice(0, 1), past: ids.length, ...REQUEST }));
    } finally {
      state.dispose();
    }
  }
  return { prefill: byKernel(steps.prefill), decode: byKernel(steps.decode) };
}

type Profile = readonly DispatchTime[];

function byKernel(rounds: readonly Profile[]): KernelTime[] {
  const sums = new Map<string, { dispatches: number; ms: number }>();
  for (const [index, { key }] of (rounds[0] ?? []).entries()) {
    const sum = sums.get(key) ?? { dispatches: 0, ms: 0 };
    sum.dispatches += 1;
    sum.ms += median(rounds.map((round) => round[index]?.ms ?? 0));
    sums.set(key, sum);
  }
  return [...sums].map(([key, sum]) => ({ key, ...sum })).sort((a, b) => b.ms - a.ms);
}

/** The times as a table, the longest first. */
export function kernelTable(title: string, kernels: readonly KernelTime[]): string {
  const total = kernels.reduce((sum, { ms }) => sum + ms, 0);
  const row = (name: string, dispatches: number, ms: number) => [
    name,
    String(dispatches),
    ms.toFixed(3),
    `${((100 * ms) / (total || 1)).toFixed(1)} %`,
  ];
  const rows = kernels.map(({ key, dispatches, ms }) => row(key, dispatches, ms));
  const count = kernels.reduce((sum, { dispatches }) => sum + dispatches, 0);
  const head = [title, 'dispatches', 'ms', 'share'];
  return table([head, ...rows, row('in all', count, total)], ['left', 'right', 'right', 'right']);
}
