/** The conversation of a store while it is held: gives ids, and grows the reply that is coming. */
import type { GenerateEvent } from '../engine/api.ts';
import {
  EMPTY_CONVERSATION,
  shownTurns,
  withChanged,
  withoutTurn,
  withTurn,
  type Conversation,
  type ReplyFigures,
  type ShownTurn,
  type Turn,
} from './conversation.ts';

type TokenEvent = Extract<GenerateEvent, { kind: 'token' }>;
/** The end of a reply. */
export type DoneEvent = Extract<GenerateEvent, { kind: 'done' }>;

/** A conversation, of which one reply may be in progress. Ids are never given twice, whatever is deleted or replaced. */
export class Talk {
  #conversation = EMPTY_CONVERSATION;
  #shown: readonly ShownTurn[] | undefined;
  #nextId = 0;
  #before: Turn | undefined; // the reply in progress as it was when it began

  get conversation(): Conversation {
    return this.#conversation;
  }

  set conversation(conversation: Conversation) {
    this.#conversation = conversation;
    this.#shown = undefined;
  }

  get shown(): readonly ShownTurn[] {
    return (this.#shown ??= shownTurns(this.#conversation));
  }

  /** The reply in progress. */
  get current(): Turn | undefined {
    return this.#before && this.turn(this.#before.id);
  }

  turn(id: number | undefined): Turn | undefined {
    return this.#conversation.turns.find((each) => each.id === id);
  }

  /** Begins another conversation, with ids of its own. */
  replace(conversation: Conversation): void {
    const first = this.#nextId;
    const ids = new Map(conversation.turns.map(({ id }, index) => [id, first + index]));
    this.#nextId += conversation.turns.length;
    this.#before = undefined;
    this.conversation = {
      turns: conversation.turns.map((turn) => {
        const parent = turn.parent === undefined ? undefined : ids.get(turn.parent);
        return Object.freeze({ ...turn, id: ids.get(turn.id) ?? first, parent });
      }),
      chosen: conversation.chosen.flatMap((id) => ids.get(id) ?? []),
    };
  }

  /** @returns the id of what was said */
  say(turn: Pick<Turn, 'role' | 'text' | 'status' | 'parent'>): number {
    const id = this.#nextId++;
    this.conversation = withTurn(this.#conversation, { ...turn, id, thoughts: '' });
    return id;
  }

  /** Begins a reply, or goes on with one that has ended. @returns its id */
  begin(parent: number, continued: number | undefined): number {
    const id = continued ?? this.say({ role: 'assistant', text: '', status: 'streaming', parent });
    this.change(id, { status: 'streaming' });
    this.#before = this.turn(id);
    return id;
  }

  grow({ text, reasoning = '' }: TokenEvent): void {
    const turn = this.current;
    if (turn) this.change(turn.id, { text: turn.text + text, thoughts: turn.thoughts + reasoning });
  }

  /**
   * Ends the reply in progress. One of which nothing came is removed, unless it is complete.
   *
   * @param done - has what was held back to the end, too
   */
  end(status: Turn['status'], done?: DoneEvent, figures?: ReplyFigures): void {
    const turn = this.current;
    const before = this.#before;
    this.#before = undefined;
    if (!turn || !before) return;
    if (done) {
      const { toolCalls, text, reasoning = '' } = done;
      const calls = [...(before.toolCalls ?? []), ...(toolCalls ?? [])];
      this.change(turn.id, {
        text: before.text + text,
        thoughts: before.thoughts + reasoning,
        ...(calls.length > 0 ? { toolCalls: calls } : {}),
      });
    }
    this.change(turn.id, { status, ...(figures ? { figures } : {}) });
    const ended = this.turn(turn.id);
    if (status !== 'complete' && ended && ended.text + ended.thoughts === '') this.remove(turn.id);
  }

  change(id: number, change: Partial<Omit<Turn, 'id' | 'parent' | 'role'>>): void {
    this.conversation = withChanged(this.#conversation, id, change);
  }

  remove(id: number): void {
    this.conversation = withoutTurn(this.#conversation, id);
  }
}
