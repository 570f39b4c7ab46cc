/** A chat as a component shows it. */
import { describeProgress, type ProgressText } from '../element/format.ts';
import type { ChatState, Message, Problem } from '../element/state.ts';

/** What a component shows. Values are immutable and replaced on every change. */
export interface AtomoeView {
  readonly status: ChatState['kind'];
  readonly progress: ProgressText | undefined; // of a load, and only then
  readonly isReady: boolean; // `send` would be answered
  readonly messages: readonly Message[]; // the last one grows while a reply comes
  readonly text: string; // of the last reply, so far; empty before the first
  readonly error: Problem | undefined; // what failed: `retry` does it again
  readonly state: ChatState; // all that there is: the model, the context in use, figures of the last reply
}

/** The state in a component's words. */
export function viewOf(state: ChatState): AtomoeView {
  const { kind, messages, model } = state;
  return {
    status: kind,
    progress: kind === 'loading' ? describeProgress(state.load) : undefined,
    isReady: model !== undefined && kind !== 'loading' && kind !== 'replying',
    messages,
    text: messages.findLast(({ role }) => role === 'assistant')?.text ?? '',
    error: kind === 'failed' ? state.problem : undefined,
    state,
  };
}
