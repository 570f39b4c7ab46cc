/** A composable for Vue 3: a chat with a model, whose engine is there while its component is. */
import { computed, onMounted, onScopeDispose, shallowRef, toValue, watch } from 'vue';
import type { ComputedRef, MaybeRefOrGetter } from 'vue';
import { createChat, type AtomoeActions, type AtomoeOptions } from './chat.ts';
import { viewOf, type AtomoeView } from './view.ts';

export type { AtomoeActions, AtomoeOptions } from './chat.ts';
export type { AtomoeView } from './view.ts';

/** What a component shows, each as a ref. */
export type AtomoeRefs = { readonly [Name in keyof AtomoeView]: ComputedRef<AtomoeView[Name]> };

/**
 * Loads a model when the component is mounted, and again when `model` is another; lets go of the engine with the component's
 * scope. On a server nothing is loaded. Other options are read when they are needed.
 *
 * @param options - as they are, or a ref or a getter of them
 * @returns what to show as refs, and what to do
 * @example
 * const { isReady, messages, send, stop } = useAtomoe({ model: '/models/fable-omni-8m/' });
 */
export function useAtomoe(options: MaybeRefOrGetter<AtomoeOptions>): AtomoeRefs & AtomoeActions {
  const { store, actions, start, release } = createChat(() => toValue(options));
  const state = shallowRef(store.getState()); // shallow: it is replaced, and nothing in it is to be watched
  const unsubscribe = store.subscribe((next) => (state.value = next));
  onMounted(start);
  watch(() => toValue(options).model, start);
  onScopeDispose(() => {
    unsubscribe();
    release();
  });
  const view = computed(() => viewOf(state.value));
  return {
    status: computed(() => view.value.status),
    progress: computed(() => view.value.progress),
    isReady: computed(() => view.value.isReady),
    messages: computed(() => view.value.messages),
    text: computed(() => view.value.text),
    error: computed(() => view.value.error),
    state: computed(() => view.value.state),
    ...actions,
  };
}
