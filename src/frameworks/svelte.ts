/** A store for Svelte 4 and 5: a chat with a model, whose engine is there while somebody subscribes. Needs nothing of Svelte. */
import { createChat, type AtomoeActions, type AtomoeOptions } from './chat.ts';
import { viewOf, type AtomoeView } from './view.ts';

export type { AtomoeActions, AtomoeOptions } from './chat.ts';
export type { AtomoeView } from './view.ts';

/** A store by Svelte's contract, with what to do beside it. */
export interface AtomoeStore extends AtomoeActions {
  /** Calls `run` at once and on every change, until the function that it returns is called. */
  subscribe(run: (view: AtomoeView) => void): () => void;
}

/**
 * Loads a model for the first subscriber, such as a component that says `$chat`; lets go of the engine with the last one.
 * On a server nothing is loaded. `load` takes another model.
 *
 * @param options - as they are, or a function that says what they are when they are needed, such as of a component's props
 * @example
 * const chat = createAtomoe({ model: '/models/fable-omni-8m/' });
 * // in the markup: {#each $chat.messages as message}
 */
export function createAtomoe(options: AtomoeOptions | (() => AtomoeOptions)): AtomoeStore {
  const read = typeof options === 'function' ? options : () => options;
  const { store, actions, start, release } = createChat(read);
  let subscribers = 0;
  return {
    subscribe(run) {
      const unsubscribe = store.subscribe((state) => run(viewOf(state)));
      run(viewOf(store.getState()));
      // A server renders and unsubscribes: it has no page.
      if (subscribers++ === 0 && 'document' in globalThis) start();
      let isSubscribed = true;
      return () => {
        if (!isSubscribed) return;
        isSubscribed = false;
        unsubscribe();
        if (--subscribers === 0) release();
      };
    },
    ...actions,
  };
}
