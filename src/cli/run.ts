import type {
  DecodingOption,
  GenerateEvent,
  GenerateOptions,
  RequestTensors,
  StreamingReport,
} from '../engine/api.ts';
import type { LocalEngine } from '../engine/index.ts';
import { readGenerateOptions } from '../engine/options.ts';
import { RouteRecorder } from '../experts/study/route-recorder.ts';
import { asUsage, UsageError, type Arguments } from './arguments.ts';
import type { Command } from './command.ts';
import { JSON_OPTION, LOAD_OPTIONS, openSource, TUNING_OPTION, withModel, type ModelUse } from './model.ts';
import {
  describeStreaming,
  prepareRoutes,
  STREAM_OPTIONS,
  streamingFacts,
  writeRoutes,
  type StreamingFacts,
} from './streaming.ts';
import { readJson, writeOut } from './files.ts';
import type { Terminal } from './terminal.ts';
import { formatCount, formatRate, formatSeconds } from './words.ts';

type Done = Extract<GenerateEvent, { kind: 'done' }>;

/** Streams a text. */
export const run: Command = {
  name: 'run',
  wants: ['MODEL', 'PROMPT'],
  summary: 'continue a text, or answer if the model chats',
  example: 'run demo/public/models/fable-omni-8m "Once upon a time"',
  options: {
    'max-tokens': { value: 'N', help: "longest reply (default: the model's, or 256)" },
    temperature: {
      value: 'X',
      help: "0: the likeliest token (default: the model's, or 0.8)",
    },
    'top-k': { value: 'N', help: 'the N likeliest; --min-p X: those above X times the best' },
    'top-p': { value: 'X', help: "those that make up X (default: the model's, or 0.95)" },
    'min-p': { value: 'X', help: '' },
    seed: { value: 'N', help: 'of the draw; --decoding NAME, or FILE.json: a strategy' },
    stop: { value: 'TEXT', isList: true, help: 'end before this text; may be repeated' },
    template: {
      value: 'NAME=X',
      isList: true,
      help: 'for the chat template: enable_thinking=false',
    },
    ...LOAD_OPTIONS,
    ...STREAM_OPTIONS,
    routes: {
      value: 'FILE',
      help: 'write which experts were used, for simulate',
      read: (args, name) => args.path(name),
    },
    hooks: {
      value: 'FILE',
      help: 'JSON: change routing; --tensors: its inputs; --trace: write',
      read: (args, name) => args.path(name),
    },
    tensors: {
      value: 'FILE',
      help: '',
      read: (args, name) => args.path(name),
    },
    trace: {
      value: 'FILE',
      help: '',
      read: (args, name) => args.path(name),
    },
    decoding: { value: 'NAME', help: '' },
    ...TUNING_OPTION,
    ...JSON_OPTION,
  },
  run: async (args, terminal) => {
    const options = asUsage(() => readGenerateOptions(generateOptions(args, terminal))); // before anything is read
    const path = args.path('routes');
    const recorder = path === undefined ? undefined : new RouteRecorder();
    const reply = async (engine: LocalEngine) => {
      if (recorder) await prepareRoutes(engine);
      const given = await answer(engine, args, options, terminal);
      tell(engine, given, args.flag('json'), terminal);
      await writeTrace(given.done, args.path('trace'), terminal);
      if (given.done.reason === 'abort') terminal.signal.throwIfAborted();
      if (recorder && path !== undefined) {
        await writeRoutes(engine, recorder, path);
        terminal.note(`the routes are in ${path}`);
      }
      return true;
    };
    // Every expert that is used passes by the recorder only where none is loaded ahead of its use.
    const use: ModelUse = recorder
      ? { streamTesting: { observer: recorder }, streaming: { start: 'now', fill: false } }
      : {};
    return withModel(() => openSource(args.place(0), args), args, terminal, reply, use);
  },
};

interface Reply {
  readonly done: Done;
  readonly streaming: StreamingFacts | undefined; // where experts came as they were needed
}

/** Streams the reply to the prompt of the command line. */
async function answer(
  engine: LocalEngine,
  args: Arguments,
  options: GenerateOptions,
  terminal: Terminal,
): Promise<Reply> {
  const prompt = args.positional(1);
  const hasTemplate = engine.model?.hasChatTemplate ?? false;
  const session = engine.session();
  const events = session.generate(hasTemplate ? [{ role: 'user', content: prompt }] : prompt, options);
  let before: StreamingReport | undefined;
  const onFirst = async () => {
    before = await engine.streaming();
  };
  const done = await follow(events, { isJson: args.flag('json'), onFirst }, terminal);
  return { done, streaming: streamingFacts(before, await engine.streaming()) };
}

/** What is said behind the text. */
function tell(engine: LocalEngine, { done, streaming }: Reply, isJson: boolean, terminal: Terminal): void {
  if (isJson) {
    const { kind: _, trace: _trace, ...reply } = done;
    const { model, adapter } = engine;
    terminal.write(`${JSON.stringify({ model: model?.label, adapter, ...reply, streaming })}\n`);
    return;
  }
  terminal.write('\n');
  terminal.status('');
  if (!terminal.isMixed) return;
  terminal.note(describe(done));
  if (streaming) terminal.note(describeStreaming(streaming));
}

/** Writes the trace of a reply as hooks that replay it. */
async function writeTrace({ trace }: Done, path: string | undefined, terminal: Terminal): Promise<void> {
  if (path === undefined) return;
  await writeOut('trace', path, `${JSON.stringify({ replay: { trace } })}\n`);
  terminal.note(`the trace is in ${path}; --hooks ${path} replays it`);
}

function generateOptions(args: Arguments, { signal }: Terminal): GenerateOptions {
  const templateOptions = Object.fromEntries(args.list('template').map(templateOption));
  const options: GenerateOptions = { signal, stop: args.list('stop'), templateOptions };
  const hooks = args.path('hooks');
  if (hooks !== undefined) options.hooks = readJson(hooks, 'file of hooks');
  const tensors = args.path('tensors');
  if (tensors !== undefined) options.tensors = readJson(tensors, 'file of tensors') as RequestTensors;
  if (args.path('trace') !== undefined) options.trace = true;
  const decoding = args.text('decoding');
  if (decoding !== undefined) options.decoding = decodingOption(decoding);
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

/** `ngram`, or `file.json`. What it may be is checked with the other options of the reply. */
function decodingOption(given: string): DecodingOption {
  return (given.endsWith('.json') ? readJson(given, 'file of a strategy') : given) as DecodingOption;
}

/** `enable_thinking=false`: what reads as JSON is that, and all else is text. */
function templateOption(given: string): [name: string, value: unknown] {
  const [, name = '', text = ''] = /^(\w+)=(.*)$/s.exec(given) ?? [];
  if (name === '') throw new UsageError(`--template is "${given}"; wanted NAME=X`);
  try {
    return [name, JSON.parse(text)];
  } catch {
    return [name, text];
  }
}

/** Writes the text as it comes, and thoughts beside it. The status line stays out of their way. */
async function follow(
  events: AsyncIterable<GenerateEvent>,
  { isJson, onFirst }: { isJson: boolean; onFirst: () => Promise<void> },
  terminal: Terminal,
): Promise<Done> {
  const shown = new ShownReply(terminal);
  let done: Done | undefined;
  let count = 0;
  let firstMs = 0;
  for await (const event of events) {
    if (event.kind === 'prefill') {
      terminal.status(`reading the prompt: ${event.doneTokens} of ${event.totalTokens} tokens`);
    } else if (event.kind === 'token') {
      count += 1;
      if (count === 1) {
        await onFirst();
        firstMs = event.atMs;
        terminal.status('');
      }
      if (!isJson) shown.add(event);
      const isWatchable = isJson || !(terminal.isMixed || shown.isThinking);
      if (isWatchable && count > 1) {
        terminal.status(
          `${formatCount(count)} tokens, ${formatRate((1000 * (count - 1)) / (event.atMs - firstMs))}`,
        );
      }
    } else if (event.kind === 'done') done = event;
  }
  if (!done) throw new Error('the reply has no end');
  if (!isJson) shown.end(done);
  return done;
}

/** What of a reply is on the terminal: the answer on stdout, the thoughts before it on stderr. */
class ShownReply {
  readonly #terminal: Terminal;
  #written = 0;
  #thought = 0;
  isThinking = false; // the line that the thoughts are on is not ended yet

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  add({ text, reasoning = '' }: { text: string; reasoning?: string }): void {
    if (reasoning !== '') {
      this.#terminal.aside(reasoning);
      this.#thought += reasoning.length;
      this.isThinking = true;
    }
    if (text === '') return;
    this.#endThoughts();
    this.#terminal.write(text);
    this.#written += text.length;
  }

  /** Adds what a marker, a stop string or half a character held back. */
  end({ text, reasoning = '' }: Done): void {
    this.add({ text: text.slice(this.#written), reasoning: reasoning.slice(this.#thought) });
    this.#endThoughts();
  }

  #endThoughts(): void {
    if (this.isThinking) this.#terminal.aside('\n\n');
    this.isThinking = false;
  }
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
