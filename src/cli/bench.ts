import process from 'node:process';
import { AtomoeError } from '../errors.ts';
import type { LocalEngine } from '../engine/index.ts';
import type { Runner, RunnerState } from '../engine/runner.ts';
import type { Command } from './command.ts';
import { JSON_OPTION, LOAD_OPTIONS, openSource, withModel } from './model.ts';
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
  example: 'bench models/fable-moe-12m --prompt 128 --reply 64',
  options: {
    prompt: { value: 'N', help: 'tokens of the prompt (default 128)' },
    reply: { value: 'N', help: 'tokens to decode (default 32)' },
    rounds: { value: 'N', help: 'rounds, after one to warm up (default 5)' },
    ...LOAD_OPTIONS,
    ...JSON_OPTION,
  },
  run: async (args, terminal) => {
    const work: Work = {
      prompt: args.count('prompt', 128),
      reply: args.count('reply', 32),
      rounds: args.count('rounds', 5),
    };
    return withModel(await openSource(args.positional(0)), args, terminal, async (engine) => {
      checkLength(work, engine.runner.contextTokens);
      const speeds = await measure(engine, work, terminal);
      const versions = { atomoe: await atomoeVersion(), node: process.version, webgpu: dawnVersion() };
      const { adapter, model } = engine;
      const result = {
        model: model?.label,
        adapter,
        versions,
        ...work,
        prefillTokensPerSecond: median(speeds.prefillPerSecond),
        decodeTokensPerSecond: median(speeds.decodePerSecond),
      };
      if (args.flag('json')) terminal.write(`${JSON.stringify({ ...result, ...speeds })}\n`);
      else {
        const { atomoe, node, webgpu } = versions;
        terminal.write(
          facts([
            ['model', model?.label ?? ''],
            ['adapter', adapter.name],
            ['versions', `atomoe ${atomoe}, node ${node}${webgpu ? `, webgpu ${webgpu}` : ''}`],
            [
              'prefill',
              `${formatRate(result.prefillTokensPerSecond)}, median of ${work.rounds} rounds of ${work.prompt} tokens`,
            ],
            [
              'decode',
              `${formatRate(result.decodeTokensPerSecond)}, median of ${work.rounds} rounds of ${work.reply} tokens`,
            ],
          ]),
        );
      }
      return true;
    });
  },
};

function checkLength({ prompt, reply }: Work, contextTokens: number): void {
  if (prompt + reply <= contextTokens) return;
  throw new AtomoeError(
    'context-full',
    `${prompt} + ${reply} tokens do not fit the context of ${contextTokens}; choose a smaller --prompt or --reply`,
  );
}

async function measure({ runner, model }: LocalEngine, work: Work, terminal: Terminal): Promise<Speeds> {
  const vocab = model?.plan.vocab ?? 1;
  // Ids spread over the vocabulary, so that the tokens' routes differ as they do in a text.
  const ids = Array.from({ length: work.prompt }, (_, index) => (index * 2_654_435_761) % vocab);
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
