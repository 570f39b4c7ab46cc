/** Replies of another server in a chat: an engine as the store asks it, and the visitor's consent. Loaded when a page names one. */
import type {
  ChatMessage,
  Engine,
  GenerateEvent,
  GenerateOptions,
  ModelInfo,
  ModelPlan,
  Prompt,
} from '../engine/api.ts';
import { AtomoeError } from '../errors.ts';
import { withRemote, type RemoteEngine, type RemoteOptions } from '../openai/remote/index.ts';
import { fill, type ChatTexts } from './chat-texts.ts';
import type { ChatView } from './chat-view.ts';
import { ConsentDialog, remoteSheet } from './consent-dialog.ts';
import { h } from './dom.ts';
import { remoteReply } from './remote-reply.ts';
import type { ChatStore } from './store.ts';

/** Where replies may come from instead. The element asks the visitor, unless the page does. */
export type ChatRemote = Omit<RemoteOptions, 'confirm'> & Partial<Pick<RemoteOptions, 'confirm'>>;

/** What the element gives. */
export interface RemoteHost {
  readonly store: ChatStore;
  readonly view: () => Pick<ChatView, 'restore' | 'say'> | undefined;
  readonly root: () => ShadowRoot | null;
  readonly texts: () => ChatTexts;
  readonly style: (sheet: (root: ShadowRoot) => void) => void;
  readonly isOwned: boolean; // the engine goes with the chat
  /** Hears how to undo what was said, should the next reply fail: nothing was sent. */
  readonly onRefuse: (takeBack: () => void) => void;
}

/** Texts in English; `texts.panels` replaces them. `{host}` is the server's. */
const SAY = {
  offer: 'Replies can come from {host} instead: you are asked before anything is sent.',
  from: 'Replies come from {host}.',
  not: 'Nothing was sent.',
  kept: 'Nothing was sent. What you wrote is in the field again.',
} as const;

const MODEL: Pick<ModelInfo, 'family' | 'hasChatTemplate' | 'experts'> = {
  family: '', // nobody knows
  hasChatTemplate: true,
  experts: { layers: 0, perLayer: 0 },
};

/** An engine that has no model and needs none. */
function noEngine(): Engine {
  const refuse = (): Promise<never> =>
    Promise.reject(new AtomoeError('internal', 'the other server was asked for nothing'));
  const lost = new Promise<never>(() => {});
  const create = refuse;
  const none = { model: undefined, lost, plan: refuse, load: refuse, dispose: () => {} };
  return { ...none, chat: { completions: { create } }, completions: { create } } as unknown as Engine;
}

/**
 * An engine whose replies may come from another server.
 *
 * @param engine - undefined: all of them do (`use: 'always'`)
 * @throws {AtomoeError} bad-input - a wrong option
 */
export function remoteEngine(engine: Engine | undefined, given: ChatRemote, host: RemoteHost): Engine {
  const local = engine ?? noEngine();
  const gone = new AbortController();
  let asked = gone.signal; // ends the question to the visitor: of the reply, and of the chat
  const remote = withRemote(local, { ...given, confirm: (name) => confirm(name, given, host, asked) });
  const name = new URL(given.baseURL).host;
  const say = (text: keyof typeof SAY): string => sayOf(host, text, name);
  const line = h('p', { class: 'elsewhere', part: 'remote' });
  let elsewhere: ModelInfo | undefined;
  const own: Partial<Engine> = {
    plan: async (source, options) => {
      const plan = await local.plan(source, options);
      return plan.fits ? plan : { ...plan, why: `${plan.why} ${say('offer')}` };
    },
    load: async (source, options = {}) => {
      elsewhere = undefined;
      line.remove();
      const ranOn = await remote.load(source, options);
      if (ranOn === 'device' && local.model) return local.model;
      elsewhere = modelOf(given, engine && (await engine.plan(source, options)));
      line.textContent = say('from');
      host.style(remoteSheet);
      host.root()?.querySelector('[part=composer]')?.before(line);
      return elsewhere;
    },
    session: () =>
      elsewhere
        ? remoteSession(
            remote,
            (signal) => (asked = signal ? AbortSignal.any([gone.signal, signal]) : gone.signal),
          )
        : local.session(),
    tokenize: async (prompt, options) => (elsewhere ? [] : local.tokenize(prompt, options)),
    dispose: () => {
      gone.abort();
      line.remove();
      if (host.isOwned) local.dispose();
    },
  };
  return new Proxy(local, {
    get: (target, key) => {
      if (key === 'model') return elsewhere ?? target.model;
      const value: unknown = Reflect.get(own, key) ?? Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** Asks; where the visitor refuses, what they wrote goes back into the field. */
async function confirm(
  name: string,
  { confirm: ask }: ChatRemote,
  host: RemoteHost,
  signal: AbortSignal,
): Promise<boolean> {
  host.style(remoteSheet);
  const agrees = await (ask ? ask(name) : new ConsentDialog(name, host.texts()).ask(host.root(), signal));
  if (agrees !== true && !signal.aborted) host.onRefuse(() => takeBack(host, name));
  return agrees;
}

/** A message that was not sent is unsaid where the field takes it; one that has another reply already stays. */
function takeBack(host: RemoteHost, name: string): void {
  const { store } = host;
  const last = store.getState().messages.at(-1);
  const isBack = last?.role === 'user' && host.view()?.restore(last.text) === true;
  if (isBack) store.delete(last.id);
  else if (last) store.choose(last.id); // it is shown: this ends the failure and changes nothing
  const said = sayOf(host, isBack ? 'kept' : 'not', name);
  requestAnimationFrame(() => host.view()?.say(said)); // behind what the next frame says of the reply
}

function sayOf({ texts }: RemoteHost, text: keyof typeof SAY, host: string): string {
  return fill(texts().panels[SAY[text]] ?? SAY[text], { host });
}

/** How long a server's context is, nobody knows. */
function modelOf({ model }: ChatRemote, plan: ModelPlan | undefined): ModelInfo {
  return { ...MODEL, label: model, plan: { ...(plan as ModelPlan), contextTokens: Infinity } };
}

/** What the store asks of a session. A server keeps nothing between two replies. */
function remoteSession(
  remote: RemoteEngine,
  begin: (signal: AbortSignal | undefined) => void,
): ReturnType<Engine['session']> {
  async function* generate(
    prompt: Prompt,
    options: GenerateOptions = {},
  ): AsyncGenerator<GenerateEvent, void> {
    begin(options.signal);
    yield* remoteReply(remote, prompt as readonly ChatMessage[], options);
  }
  const nothing = (): void => {};
  return { generate, tokens: 0, reset: nothing, dispose: nothing } as unknown as ReturnType<
    Engine['session']
  >;
}
