/** What the hook, the composable and the store have in common: a chat whose engine lives as long as it is shown. */
import type { ContextRule } from '../element/context-rule.ts';
import { ChatStore } from '../element/store.ts';
import type { DeviceKind, Engine, GenerateOptions, LoadOptions, ModelSource } from '../engine/api.ts';
import { createWorkerEngine } from '../worker/open.ts';

/** How a component's chat is opened: a model, how it is loaded, and what its replies have in common. */
export interface AtomoeOptions {
  readonly model: ModelSource; // of the same identity as long as it is the same model
  readonly autoload?: boolean; // load when the component is shown; default true. Else `load` does
  readonly device?: DeviceKind; // 'auto' by default
  readonly threads?: number; // of the CPU, where it runs the model
  readonly tuning?: 'auto' | 'off'; // whether to find the fastest kernels for this adapter; 'auto' by default
  readonly loadOptions?: LoadOptions;
  readonly generateOptions?: GenerateOptions; // of every reply, below what `send` is given
  readonly systemPrompt?: string; // before the conversation, for models with a chat template
  readonly contextRule?: ContextRule; // what is left out of a conversation that is longer than the context
  /** Opens the engine in another way; default: in a worker, or on the page where there are no workers. */
  readonly openEngine?: () => Promise<Engine>;
}

/** What a component does. Nothing here rejects for what a model or a network does: that becomes `error`. */
export interface AtomoeActions {
  load(model?: ModelSource): Promise<void>;
  /** @returns once the reply has ended; false: nothing was said, for there is no text, no model, or one thing at a time */
  send(text: string, options?: GenerateOptions): Promise<boolean>;
  /** Another version of a reply, by its id. */
  regenerate(id: number, options?: GenerateOptions): Promise<boolean>;
  /** Stops a load or a reply; the text so far stays. */
  stop(): void;
  retry(): Promise<void>;
  /** Forgets what was said. */
  clear(): void;
}

/** A chat behind a component. */
export interface ComponentChat {
  readonly store: ChatStore;
  readonly actions: AtomoeActions;
  /** When the component is shown, or its model is another. */
  start(): void;
  /** When it is gone: stops, and lets go of the engine. What was said stays. */
  release(): void;
}

/** @param read - the options as they are now */
export function createChat(read: () => AtomoeOptions): ComponentChat {
  const store = new ChatStore({ openEngine: () => openEngine(read()) });
  const prepared = (options?: GenerateOptions): GenerateOptions => {
    const { systemPrompt = '', contextRule, generateOptions } = read();
    store.systemPrompt = systemPrompt;
    if (contextRule) store.contextRule = contextRule;
    return { ...generateOptions, ...options };
  };
  const load = (model = read().model): Promise<void> => store.load(model, read().loadOptions ?? {});
  // An action that comes after the component has gone would open an engine that nobody lets go of.
  let isGone = false;
  return {
    store,
    actions: {
      load: async (model) => (isGone ? undefined : load(model)),
      send: async (text, options) => !isGone && store.send(text, prepared(options)),
      regenerate: async (id, options) => !isGone && store.regenerate(id, prepared(options)),
      stop: () => store.stop(),
      retry: async () => (isGone ? undefined : store.retry()),
      clear: () => store.clear(),
    },
    start: () => {
      isGone = false;
      if (read().autoload !== false) void load();
    },
    release: () => {
      isGone = true;
      store.release();
    },
  };
}

async function openEngine(options: AtomoeOptions): Promise<Engine> {
  if (options.openEngine) return options.openEngine();
  const { device, threads, tuning } = options;
  const given = {
    ...(device ? { device } : {}),
    ...(threads ? { threads } : {}),
    ...(tuning ? { tuning } : {}),
  };
  if (typeof Worker === 'function') return createWorkerEngine(given);
  const { createEngine } = await import('../engine/index.ts');
  return createEngine(given);
}
