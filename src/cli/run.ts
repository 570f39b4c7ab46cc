import type { GenerateEvent, GenerateOptions } from '../engine/api.ts';
import type { Arguments } from './arguments.ts';
import type { Command } from './command.ts';
import { JSON_OPTION, LOAD_OPTIONS, openSource, TUNING_OPTION, withModel } from './model.ts';
import type { Terminal } from './terminal.ts';
import { formatCount, formatRate, formatSeconds } from './words.ts';

type Done = Extract<GenerateEvent, { kind: 'done' }>;

/** Streams a text. */
export const run: Command = {
  name: 'run',
  wants: ['MODEL', 'PROMPT'],
  summary: 'continue a text, or answer if the model chats',
  example: 'run models/fable-omni-8m "Once upon a time"',
  options: {
    'max-tokens': { value: 'N', help: 'longest reply (default 256)' },
    temperature: { value: 'X', help: '0 always takes the likeliest token (default 0.8)' },
    'top-k': { value: 'N', help: 'draw among the N likeliest (default: all)' },
    'top-p': { value: 'X', help: 'draw among those that make up X (default 0.95)' },
    'min-p': { value: 'X', help: 'leave out those below X times the best' },
    seed: { value: 'N', help: 'the same seed gives the same text' },
    stop: { value: 'TEXT', isList: true, help: 'end before this text; may be repeated' },
    ...LOAD_OPTIONS,
    ...TUNING_OPTION,
    ...JSON_OPTION,
  },
  run: async (args, terminal) => {
    const options = generateOptions(args, terminal);
    return withModel(await openSource(args.positional(0)), args, terminal, async (engine) => {
      const session = engine.session();
      const isJson = args.flag('json');
      const prompt = args.positional(1);
      const hasTemplate = engine.model?.hasChatTemplate ?? false;
      const events = session.generate(hasTemplate ? [{ role: 'user', content: prompt }] : prompt, options);
      const done = await follow(events, isJson, terminal);
      if (isJson) {
        const { kind: _, ...reply } = done;
        terminal.write(
          `${JSON.stringify({ model: engine.model?.label, adapter: engine.adapter, ...reply })}\n`,
        );
      } else {
        terminal.write('\n');
        terminal.status('');
        if (terminal.isMixed) terminal.note(describe(done));
      }
      if (done.reason === 'abort') terminal.signal.throwIfAborted();
      return true;
    });
  },
};

function generateOptions(args: Arguments, { signal }: Terminal): GenerateOptions {
  const options: GenerateOptions = { signal, stop: args.list('stop') };
  const names = {
    'max-tokens': 'maxTokens',
    temperature: 'temperature',
    'top-k': 'topK',
    'top-p': 'topP',
    'min-p': 'minP',
    seed: 'seed',
  } as const;
  for (const [name, key] of Object.entries(names)) {
    const value = args.number(name);
    if (value !== undefined) options[key] = value;
  }
  return options;
}

/** Writes the text as it comes. The status line stays out of its way. */
async function follow(
  events: AsyncIterable<GenerateEvent>,
  isJson: boolean,
  terminal: Terminal,
): Promise<Done> {
  let done: Done | undefined;
  let count = 0;
  let written = 0;
  let firstMs = 0;
  for await (const event of events) {
    if (event.kind === 'prefill') {
      terminal.status(`reading the prompt: ${event.doneTokens} of ${event.totalTokens} tokens`);
    } else if (event.kind === 'token') {
      count += 1;
      if (count === 1) {
        firstMs = event.atMs;
        terminal.status('');
      }
      if (!isJson) {
        terminal.write(event.text);
        written += event.text.length;
      }
      const isWatchable = isJson || !terminal.isMixed;
      if (isWatchable && count > 1) {
        terminal.status(
          `${formatCount(count)} tokens, ${formatRate((1000 * (count - 1)) / (event.atMs - firstMs))}`,
        );
      }
    } else done = event;
  }
  if (!done) throw new Error('the reply has no end');
  if (!isJson) terminal.write(done.text.slice(written)); // what a stop string or half a character held back
  return done;
}

function describe({ reason, usage, timings, seed }: Done): string {
  const parts = [
    `${formatCount(usage.completionTokens)} tokens`,
    formatRate(timings.tokensPerSecond),
    `first token after ${formatSeconds(timings.firstTokenMs)}`,
    `seed ${seed}`,
    { stop: 'the text is complete', length: 'cut at the longest length', abort: 'stopped' }[reason],
  ];
  return parts.join(' · ');
}
