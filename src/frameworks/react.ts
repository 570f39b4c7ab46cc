/** A hook for React 18 and 19: a chat with a model, whose engine is there while its component is. */
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { INITIAL_STATE } from '../element/state.ts';
import { createChat, type AtomoeActions, type AtomoeOptions } from './chat.ts';
import { viewOf, type AtomoeView } from './view.ts';

export type { AtomoeActions, AtomoeOptions } from './chat.ts';
export type { AtomoeView } from './view.ts';

/**
 * Loads a model when the component is mounted, and again when `model` is another; lets go of the engine when it is unmounted.
 * On a server nothing is loaded. Other options are read when they are needed: new objects in each render cost nothing.
 *
 * @param options - `model` must keep its identity between renders: a string, or an object that is kept
 * @returns what to show and what to do; the functions stay the same
 * @example
 * const { isReady, messages, send, stop } = useAtomoe({ model: '/models/fable-omni-8m/' });
 */
export function useAtomoe(options: AtomoeOptions): AtomoeView & AtomoeActions {
  const latest = useRef(options);
  const [{ store, actions, start, release }] = useState(() => createChat(() => latest.current));
  const [subscribe, getState] = useMemo(
    () => [(changed: () => void) => store.subscribe(changed), () => store.getState()] as const,
    [store],
  );
  const state = useSyncExternalStore(subscribe, getState, () => INITIAL_STATE);
  // In this order: what starts reads the latest options.
  useEffect(() => {
    latest.current = options;
  });
  useEffect(() => start(), [start, options.model]);
  useEffect(() => release, [release]);
  return useMemo(() => ({ ...viewOf(state), ...actions }), [state, actions]);
}
