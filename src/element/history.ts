/** Keeps the conversation of a chat on the device as it grows. Loaded when there is something to keep, or to show. */
import { titleOf, type SavedConversation } from './conversation-file.ts';
import { EMPTY_CONVERSATION, type Conversation } from './conversation.ts';
import { HistoryDatabase } from './history-database.ts';

export { HistoryPanel } from './history-panel.ts';
export { richSheet } from './rich-style.ts';

/** The conversations that are kept, and the one of them that is on the page. */
export class ChatHistory {
  readonly database: HistoryDatabase;
  readonly #now: () => number;
  #id: string | undefined; // of the conversation on the page, once it is kept
  #kept: Conversation = EMPTY_CONVERSATION;
  #work: Promise<void> = Promise.resolve(); // one write after the other
  #problem: Error | undefined;

  constructor(database = new HistoryDatabase(), now: () => number = () => Date.now()) {
    this.database = database;
    this.#now = now;
  }

  /** Why the last write failed. */
  get problem(): Error | undefined {
    return this.#problem;
  }

  /** All that are kept, the last one that was changed first. */
  async list(): Promise<readonly SavedConversation[]> {
    await this.#work;
    return this.database.list();
  }

  /** Keeps the conversation on the page; one that has become empty is not kept any more. */
  keep(conversation: Conversation): Promise<void> {
    if (conversation === this.#kept) return this.#work;
    this.#kept = conversation;
    if (conversation.turns.length === 0) return this.#forget();
    const id = (this.#id ??= crypto.randomUUID());
    const title = titleOf(conversation);
    return this.#then(() => this.database.put({ id, title, changedAtMs: this.#now(), conversation }));
  }

  /** The page shows this from here on: one that is kept, or a new one. */
  begin(saved: SavedConversation | undefined, shown: Conversation = EMPTY_CONVERSATION): void {
    this.#id = saved?.id;
    this.#kept = shown;
  }

  /** Whether a conversation is the one on the page. */
  isShown({ id }: SavedConversation): boolean {
    return id === this.#id;
  }

  async delete(id: string): Promise<void> {
    if (id === this.#id) this.#id = undefined; // what is on the page is kept again when it changes
    await this.#then(() => this.database.delete(id));
  }

  async deleteAll(): Promise<void> {
    this.#id = undefined;
    await this.#then(() => this.database.clear());
  }

  #forget(): Promise<void> {
    const id = this.#id;
    this.#id = undefined;
    return id === undefined ? this.#work : this.#then(() => this.database.delete(id));
  }

  #then(write: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(write).then(
      () => (this.#problem = undefined),
      (error: unknown) => void (this.#problem = error instanceof Error ? error : new Error(String(error))),
    );
    return this.#work;
  }
}
