/** A reply of another server, as the events of an engine's. */
import type {
  ChatMessage,
  ChatToolCall,
  FinishReason,
  GenerateEvent,
  GenerateOptions,
} from '../engine/api.ts';
import { AtomoeError } from '../errors.ts';
import type { RemoteEngine } from '../openai/remote/index.ts';

type Chunk = Awaited<ReturnType<typeof ask>> extends AsyncIterable<infer Each> ? Each : never;

/** @throws {AtomoeError} as `create` of the other server's engine; bad-input - the rest of a reply is asked for */
export async function* remoteReply(
  remote: RemoteEngine,
  messages: readonly ChatMessage[],
  options: GenerateOptions,
): AsyncGenerator<GenerateEvent, void, undefined> {
  if (options.continueFinalMessage) {
    throw new AtomoeError(
      'bad-input',
      'the rest of a reply was asked of another server; wanted a new one; ask for another version of it',
    );
  }
  const startedMs = performance.now();
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 31);
  const reply = new Collected(seed, startedMs);
  yield { kind: 'prefill', doneTokens: 0, totalTokens: 0 };
  for await (const chunk of await ask(remote, messages, { ...options, seed })) yield* reply.hear(chunk);
  yield reply.done(options.signal?.aborted ?? false);
}

function ask(remote: RemoteEngine, messages: readonly ChatMessage[], options: GenerateOptions) {
  const { maxTokens, temperature, topP, seed, stop, tools, signal } = options;
  return remote.chat.completions.create(
    {
      // Thoughts stay here: strict servers refuse the field.
      messages: messages.map(({ reasoning_content: _, ...message }) => message),
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: maxTokens,
      temperature,
      top_p: topP,
      seed,
      stop,
      tools,
    },
    signal ? { signal } : {},
  );
}

/** What has come of a reply. */
class Collected {
  readonly #seed: number;
  readonly #startedMs: number;
  readonly #calls: { id: string; name: string; arguments: string }[] = []; // by their index
  #text = '';
  #reasoning = '';
  #reason: FinishReason = 'stop';
  #tokens = 0; // as chunks: servers need not count
  #firstMs: number | undefined;
  #usage: Chunk['usage'];

  constructor(seed: number, startedMs: number) {
    this.#seed = seed;
    this.#startedMs = startedMs;
  }

  *hear({ choices: [choice], usage }: Chunk): Generator<GenerateEvent, void, undefined> {
    this.#usage = usage ?? this.#usage;
    if (!choice) return;
    const { delta, finish_reason: reason } = choice;
    if (reason === 'length') this.#reason = 'length';
    for (const call of delta?.tool_calls ?? []) this.#call(call);
    const { content: text, reasoning_content: reasoning } = delta ?? {};
    if (!text && !reasoning) return;
    this.#firstMs ??= this.#sinceMs();
    const id = this.#tokens++;
    this.#text += text ?? '';
    this.#reasoning += reasoning ?? '';
    const thought = reasoning ? { reasoning } : {};
    yield { kind: 'token', id, text: text ?? '', ...thought, atMs: this.#sinceMs() };
  }

  done(isAborted: boolean): GenerateEvent {
    const firstTokenMs = this.#firstMs ?? this.#sinceMs();
    const decodeMs = this.#sinceMs() - firstTokenMs;
    const { prompt_tokens: promptTokens = 0, completion_tokens: completionTokens = this.#tokens } =
      this.#usage ?? {};
    const tokensPerSecond = decodeMs > 0 ? (1000 * Math.max(0, completionTokens - 1)) / decodeMs : 0;
    const toolCalls = this.#calls.filter(Boolean).map(callOf);
    return {
      kind: 'done',
      reason: isAborted ? 'abort' : this.#reason,
      text: this.#text,
      ...(this.#reasoning === '' ? {} : { reasoning: this.#reasoning }),
      ...(toolCalls.length > 0 ? { toolCalls } : {}),
      seed: this.#seed,
      usage: { promptTokens, reusedTokens: 0, completionTokens },
      timings: { prefillMs: firstTokenMs, firstTokenMs, decodeMs, tokensPerSecond },
    };
  }

  /** Servers send a call in pieces: its name first, then its arguments. */
  #call({ index, id, function: called }: Partial<ChatToolCall> & { index?: number }): void {
    const known = this.#calls.findIndex((call) => call.id === id); // some servers number none
    const place = index ?? (known >= 0 ? known : this.#calls.length - (id ? 0 : 1));
    const call = (this.#calls[Math.max(0, place)] ??= { id: '', name: '', arguments: '' });
    call.id ||= id ?? '';
    call.name += called?.name ?? '';
    call.arguments += called?.arguments ?? '';
  }

  #sinceMs(): number {
    return performance.now() - this.#startedMs;
  }
}

function callOf({
  id,
  name,
  arguments: given,
}: {
  id: string;
  name: string;
  arguments: string;
}): ChatToolCall {
  return { id, type: 'function', function: { name, arguments: given } };
}
