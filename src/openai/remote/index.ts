/** Replies of another server where this device is too small, or where the caller says so. */
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  ChatRequestOptions,
  Engine,
  LoadOptions,
  ModelSource,
  TextCompletion,
  TextCompletionChunk,
  TextCompletionRequest,
} from '../../engine/api.ts';
import {
  callback,
  fields,
  oneOf,
  refuse,
  refuseAs,
  showKind,
  text,
  type Check,
} from '../../engine/checks.ts';
import { AtomoeError } from '../../errors.ts';
import type { Fetch } from '../fetch.ts';
import type { RemoteServer } from './request.ts';

/** Where replies may come from instead. */
export interface RemoteOptions {
  readonly baseURL: string; // of a server that speaks OpenAI's API: 'https://example.org/v1'
  readonly apiKey?: string; // kept in memory only; not in errors, reports or exports
  readonly model: string; // the server's name for it
  /** 'too-small' (default): where `load` finds that the model does not fit; 'always'. */
  readonly use?: 'too-small' | 'always';
  /**
   * Asks the visitor before the first prompt leaves the device. What is not `true` sends nothing, and the next prompt asks
   * again; `true` holds as long as this object.
   */
  readonly confirm: (host: string) => boolean | Promise<boolean>;
  readonly fetch?: Fetch; // default: the global one
}

/** Where replies come from: this device, or another server. */
export type RanOn = 'device' | 'remote';

/** An answer that may be another server's: then it has no figures of Atomoe's. */
export type AnyAnswer<T extends { choices: { atomoe?: unknown }[] }> = Omit<T, 'choices'> & {
  choices: (Omit<T['choices'][number], 'atomoe'> & Partial<Pick<T['choices'][number], 'atomoe'>>)[];
  ranOn: RanOn;
};

/** A stream of such answers. */
export interface AnyStream<T> extends AsyncIterable<T> {
  readonly controller: AbortController; // its `abort()` ends the reply
  readonly ranOn: RanOn;
}

/** `create` of an engine, answered here or elsewhere. */
export interface AnyCompletions<Asked, Whole, Chunk> {
  create(request: Asked & { stream: true }, options?: ChatRequestOptions): Promise<AnyStream<Chunk>>;
  create(
    request: Asked & { stream?: false | null | undefined },
    options?: ChatRequestOptions,
  ): Promise<Whole>;
  create(request: Asked, options?: ChatRequestOptions): Promise<Whole | AnyStream<Chunk>>;
}

/** An engine with another server behind it. */
export interface RemoteEngine {
  /** Where replies come from; undefined: `load` has not decided. */
  readonly ranOn: RanOn | undefined;
  readonly why: string; // one sentence on why it is the other server; else empty
  readonly model: { readonly label: string } | undefined;
  readonly chat: {
    readonly completions: AnyCompletions<
      ChatCompletionRequest,
      AnyAnswer<ChatCompletion>,
      AnyAnswer<ChatCompletionChunk>
    >;
  };
  readonly completions: AnyCompletions<
    TextCompletionRequest,
    AnyAnswer<TextCompletion>,
    AnyAnswer<TextCompletionChunk>
  >;
  /** Plans the model, and loads it where it fits; else replies come from the other server. @throws as `Engine.load` */
  load(model: ModelSource, options?: LoadOptions): Promise<RanOn>;
}

/** What is needed of an engine. */
export type LocalPart = Pick<Engine, 'chat' | 'completions' | 'model' | 'plan' | 'load'>;

/**
 * Puts another server behind an engine. Nothing is sent to it before a reply is asked of it, and the visitor has agreed.
 *
 * @throws {AtomoeError} bad-input - a wrong option
 */
export function withRemote(engine: LocalPart, given: RemoteOptions): RemoteEngine {
  const { server, use, confirm } = readOptions(given);
  let ranOn: RanOn | undefined = use === 'always' ? 'remote' : engine.model && 'device';
  let why = use === 'always' ? 'the caller chose it' : '';
  let consent: Promise<boolean> | undefined; // that is asked for, or was given
  const agree = async (): Promise<void> => {
    consent ??= (async () => (await confirm(server.host)) === true)();
    const asked = consent;
    let hasAgreed = false;
    try {
      hasAgreed = await asked;
    } finally {
      if (!hasAgreed && consent === asked) consent = undefined;
    }
    if (hasAgreed) return;
    throw new AtomoeError(
      'bad-input',
      `the prompt was not sent to ${server.host}: confirm did not return true; wanted the visitor's consent; ask again`,
    );
  };
  const completionsOf = (path: string, own: { create: (...given: never[]) => Promise<object> }) => ({
    create: async (body: unknown, options?: ChatRequestOptions) => {
      if (ranOn !== 'remote') return marked(await own.create(body as never, options as never));
      const { ask, readBody } = await import('./ask.ts');
      const request = await readBody(path, body, options);
      const { signal } = request;
      signal?.throwIfAborted();
      await agree();
      signal?.throwIfAborted();
      return ask(server, path, request);
    },
  });
  return {
    get ranOn() {
      return ranOn;
    },
    get why() {
      return why;
    },
    get model() {
      return ranOn === 'remote' ? { label: server.model } : engine.model;
    },
    chat: { completions: completionsOf('chat/completions', engine.chat.completions) as never },
    completions: completionsOf('completions', engine.completions) as never,
    load: async (source, options) => {
      if (use === 'always') return 'remote';
      const plan = await engine.plan(source, options);
      [ranOn, why] = [undefined, '']; // where loading fails, neither answers
      if (plan.fits) await engine.load(source, options);
      [ranOn, why] = plan.fits ? ['device', ''] : ['remote', plan.why];
      return ranOn;
    },
  };
}

/** Says of the engine's own answers, and of a stream's chunks, that they are. */
function marked(answer: object): object {
  const here = { ranOn: 'device' } as const;
  if (!(Symbol.asyncIterator in answer)) return Object.assign(answer, here);
  const stream = answer as AsyncIterable<object>;
  const chunks = stream[Symbol.asyncIterator].bind(stream);
  return Object.assign(stream, {
    ...here,
    async *[Symbol.asyncIterator]() {
      for await (const chunk of { [Symbol.asyncIterator]: chunks }) yield Object.assign(chunk, here);
    },
  });
}

const address: Check<URL> = (value, name) => {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
  // An address may hold a password, so that a wrong one is not shown.
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
    return refuseAs(
      name,
      showKind(value),
      'an address of http or https without a password, query or fragment',
    );
  }
  return url;
};

/** What no header can have would be shown in the error of `fetch`. */
const key: Check<string> = (value, name) =>
  typeof value === 'string' && /^[!-~]+$/.test(value)
    ? value
    : refuseAs(name, showKind(value), 'a text of ASCII without spaces');

const filled: Check<string> = (value, name) =>
  text(value, name) || refuse(name, value, 'the name of a model');

function readOptions(given: unknown) {
  const options = fields({
    baseURL: address,
    apiKey: key,
    model: filled,
    use: oneOf('too-small', 'always'),
    confirm: callback<RemoteOptions['confirm']>(),
    fetch: callback<Fetch>(),
  })(given, 'remote') as Partial<Omit<RemoteOptions, 'baseURL'> & { baseURL: URL }>;
  const { baseURL, apiKey, model, use = 'too-small', confirm, fetch = globalThis.fetch } = options;
  if (!baseURL)
    return refuse('remote.baseURL', baseURL, 'the address of a server, such as https://example.org/v1');
  if (model === undefined) return refuse('remote.model', model, 'the name of a model');
  if (!confirm) return refuse('remote.confirm', confirm, 'a function that asks the visitor');
  const server: RemoteServer = {
    baseURL: baseURL.href.replace(/\/+$/, ''),
    host: baseURL.host,
    model,
    apiKey,
    fetch: async (...request) => fetch(...request),
  };
  return { server, use, confirm };
}
