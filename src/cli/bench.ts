import process from 'node:process';
import { AtomoeError } from '../errors.ts';
import type { AdapterReport, ModelPlan } from '../engine/api.ts';
import type { LocalEngine } from '../engine/index.ts';
import type { Runner, RunnerState } from '../engine/run/runner.ts';
import { kernelTable, timeKernels, type KernelTimes } from './bench-kernels.ts';
import { UsageError } from './arguments.ts';
import type { Command } from './command.ts';
import { JSON_OPTION, LOAD_OPTIONS, openSource, readDevice, TUNING_OPTION, withModel } from './model.ts';
import type { Terminal } from './terminal.ts';
import { atomoeVersion, dawnVersion } from './version.ts';
import { facts, formatRate, median } from './words.ts';

interface Work {
  readonly prompt: number; // tokens of the prefill
  readonly reply: number; // decoded tokens
  readonly rounds: number;
}

interface Speeds {
  readonly prefillPerSecond: readonly number[]; // tokens, one number for each round
  readonly decodePerSecond: readonly number[];
}

/** Measures prefill and decode. */
export const bench: Command = {
  name: 'bench',
  wants: ['MODEL'],
  summary: 'measure prefill and decode',
  example: 'bench demo/public/models/fable-moe-12m --prompt 128',
  options: {
    prompt: { value: 'N', help: 'tokens of the prompt (default 128)' },
    reply: { value: 'N', help: 'tokens to decode (default 32)' },
    rounds: { value: 'N', help: 'rounds, after one to warm up (default 5)' },
    kernels: { help: "time every kernel by the GPU's own clock, too" },
    ...LOAD_OPTIONS,
    ...TUNING_OPTION,
    ...JSON_OPTION,
  },
  run: async (args, terminal) => {
    const work: Work = {
      prompt: args.count('prompt', 128),
      reply: args.count('reply', 32),
      rounds: args.count('rounds', 5),
    };
    if (args.flag('kernels') && ['cpu', 'reference'].includes(readDevice(args) ?? '')) {
      throw new UsageError('--kernels times the kernels of a GPU; wanted --device gpu; leave it out');
    }
    return withModel(
      () => openSource(args.place(0)),
      args,
      terminal,
      async (engine) => {
        checkLength(work, engine.runner.contextTokens);
        const ids = promptIds(engine, work);
        const { signal } = terminal;
        const kernels = args.flag('kernels')
          ? await timeKernels(engine.runner, ids, work.rounds, signal)
          : undefined;
        const speeds = await measure(engine, ids, work, terminal);
        const versions = { atomoe: await atomoeVersion(), node: process.version, webgpu: dawnVersion() };
        const { adapter, model } = engine;
        const result: Result = {
          model: model?.label ?? '',
          adapter,
          versions,
          ...work,
          ...medians(speeds),
          kernels,
          refusedKernels: model?.plan.refusedKernels ?? [],
        };
        terminal.write(args.flag('json') ? `${JSON.stringify({ ...result, ...speeds })}\n` : report(result));
        return true;
      },
    );
  },
};

interface Result extends Work {
  readonly model: string;
  readonly adapter: AdapterReport;
  readonly versions: { readonly atomoe: string; readonly node: string; readonly webgpu: string | undefined };
  readonly prefillTokensPerSecond: number;
  readonly decodeTokensPerSecond: number;
  readonly kernels: KernelTimes | undefined;
  readonly refusedKernels: ModelPlan['refusedKernels'];
}

function medians({ prefillPerSecond, decodePerSecond }: Speeds) {
  return {
    prefillTokensPerSecond: median(prefillPerSecond),
    decodeTokensPerSecond: median(decodePerSecond),
  };
}

function report(result: Result): string {
  const { model, adapter, versions, rounds, prompt, reply, kernels } = result;
  const { atomoe, node, webgpu } = versions;
  const rate = (perSecond: number, tokens: number) =>
    `${formatRate(perSecond)}, median of ${rounds} rounds of ${tokens} tokens`;
  const lines = facts([
    ['model', model],
    ['adapter', `${adapter.name}, as ${adapter.adapterClass}`],
    ['versions', `atomoe ${atomoe}, node ${node}${webgpu ? `, webgpu ${webgpu}` : ''}`],
    ['prefill', rate(result.prefillTokensPerSecond, prompt)],
    ['decode', rate(result.decodeTokensPerSecond, reply)],
    ...result.refusedKernels.map(({ kernel, reason }): [string, string] => [
      'refused',
      `${kernel}: ${reason}`,
    ]),
  ]);
  if (!kernels) return lines;
  const { prefill, decode } = kernels;
  return `${lines}\n${kernelTable('decode, one token', decode)}\n${kernelTable('prefill, one chunk', prefill)}`;
}

function checkLength({ prompt, reply }: Work, contextTokens: number): void {
  if (prompt + reply <= contextTokens) return;
  throw new AtomoeError(
    'context-full',
    `${prompt} + ${reply} tokens do not fit the context of ${contextTokens}; choose a smaller --prompt or --reply`,
  );
}

/** Ids spread over the vocabulary, so that the tokens' routes differ as they do in a text. */
function promptIds({ model }: LocalEngine, { prompt }: Work): number[] {
  const vocab = model?.plan.vocab ?? 1;
  return Array.from({ length: prompt }, (_, index) => (index * 2_654_435_761) % vocab);
}

async function measure(
  { runner }: LocalEngine,
  ids: readonly number[],
  work: Work,
  terminal: Terminal,
): Promise<Speeds> {
  const prefillPerSecond: number[] = [];
  const decodePerSecond: number[] = [];
  for (let round = 0; round <= work.rounds; round += 1) {
    terminal.status(round === 0 ? 'warming up' : `round ${round} of ${work.rounds}`);
    const state = await runner.openState();
    try {
      const { prefillMs, decodeMs } = await oneRound(runner, state, ids, work, terminal.signal);
      if (round === 0) continue;
      prefillPerSecond.push((1000 * work.prompt) / prefillMs);
      decodePerSecond.push((1000 * work.reply) / decodeMs);
    } finally {
      state.dispose();
    }
  }
  terminal.status('');
  return { prefillPerSecond, decodePerSecond };
}

async function oneRound(
  runner: Runner,
  state: RunnerState,
  ids: readonly number[],
  { reply }: Work,
  signal: AbortSignal,
): Promise<{ prefillMs: number; decodeMs: number }> {
  const request = { penalty: 1, temperature: 1, candidates: false, routes: false };
  const startedMs = performance.now();
  const lastStart = Math.floor((ids.length - 1) / runner.chunkTokens) * runner.chunkTokens;
  for (let past = 0; past < lastStart; past += runner.chunkTokens) {
    await runner.prefill(
      state,
      { ids: ids.slice(past, past + runner.chunkTokens), past, ...request },
      signal,
    );
  }
  let { best } = await runner.step(state, { ids: ids.slice(lastStart), past: lastStart, ...request }, signal);
  const prefilledMs = performance.now();
  for (let count = 0; count < reply; count += 1) {
    signal.throwIfAborted();
    ({ best } = await runner.step(state, { ids: [best], past: ids.length + count, ...request }, signal));
  }
  return { prefillMs: prefilledMs - startedMs, decodeMs: performance.now() - prefilledMs };
}
