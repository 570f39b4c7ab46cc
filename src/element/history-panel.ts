/** The panel with the conversations that are kept: search, open, delete, export and import. */
import { AtomoeError } from '../errors.ts';
import type { ChatTexts } from './chat-texts.ts';
import type { ChatPanel } from './chat-view.ts';
import {
  mentions,
  readConversations,
  writeConversations,
  type SavedConversation,
} from './conversation-file.ts';
import { h } from './dom.ts';
import type { ChatHistory } from './history.ts';

const FILE_NAME = 'conversations.json';

/** What the panel asks for. */
export interface HistoryRequests {
  open(saved: SavedConversation): void;
  say(text: string): void;
}

/** A list of conversations with a search. */
export class HistoryPanel implements ChatPanel {
  readonly element: HTMLElement;
  readonly #history: ChatHistory;
  readonly #texts: ChatTexts;
  readonly #requests: HistoryRequests;
  readonly #search: HTMLInputElement;
  readonly #list = h('ul', { class: 'conversations' });
  readonly #note = h('p', { class: 'hint', role: 'status' });
  readonly #deleteAll: HTMLButtonElement;
  #all: readonly SavedConversation[] = [];

  constructor(history: ChatHistory, texts: ChatTexts, requests: HistoryRequests) {
    this.#history = history;
    this.#texts = texts;
    this.#requests = requests;
    this.#search = h('input', {
      type: 'search',
      placeholder: this.#say('Search'),
      'aria-label': this.#say('Search'),
    });
    this.#search.addEventListener('input', () => this.#show());
    this.#deleteAll = this.#button('Delete all', () => this.#confirmDelete());
    const buttons = [
      this.#button('Export', () => this.#export()),
      this.#button('Import', () => this.#import()),
      this.#deleteAll,
    ];
    const head = h('div', { class: 'history-head' }, this.#search, ...buttons);
    const attributes = { class: 'panel', part: 'panel', 'aria-label': texts.history };
    this.element = h('section', attributes, head, this.#note, this.#list);
    void this.refresh();
  }

  focus(): void {
    this.#search.focus();
  }

  async refresh(): Promise<void> {
    try {
      this.#all = await this.#history.list();
      this.#show();
    } catch (error) {
      this.#fail(error);
    }
  }

  #say(text: string): string {
    return this.#texts.panels[text] ?? text;
  }

  #button(label: string, click: () => void): HTMLButtonElement {
    const button = h('button', { type: 'button', class: 'small' }, this.#say(label));
    button.addEventListener('click', click);
    return button;
  }

  #show(): void {
    const found = this.#all.filter((each) => mentions(each, this.#search.value));
    this.#list.replaceChildren(...found.map((saved) => this.#item(saved)));
    const problem = this.#history.problem;
    if (problem) return this.#fail(problem);
    if (this.#all.length === 0) this.#note.textContent = this.#say('Nothing is kept yet.');
    else if (found.length === 0) this.#note.textContent = this.#say('Nothing found.');
    else this.#note.textContent = this.#say('Kept in this browser only.');
  }

  #item(saved: SavedConversation): HTMLElement {
    const time = new Date(saved.changedAtMs);
    const attributes = {
      type: 'button',
      class: 'conversation',
      'aria-current': this.#history.isShown(saved) && 'true',
    };
    const open = h(
      'button',
      attributes,
      h('span', { class: 'title', dir: 'auto' }, saved.title),
      h(
        'time',
        { datetime: time.toISOString() },
        time.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' }),
      ),
    );
    open.addEventListener('click', () => this.#requests.open(saved));
    const remove = this.#button('Delete', () => void this.#delete(saved));
    remove.setAttribute('aria-label', `${this.#say('Delete')}: ${saved.title}`);
    return h('li', {}, open, remove);
  }

  async #delete({ id }: SavedConversation): Promise<void> {
    await this.#history.delete(id);
    await this.refresh();
    this.#search.focus(); // the button that had it is gone
  }

  /** Asks once more, on the button itself. */
  #confirmDelete(): void {
    const question = this.#say('Really delete all?');
    if (this.#deleteAll.textContent === question) {
      this.#deleteAll.textContent = this.#say('Delete all');
      void this.#history.deleteAll().then(() => this.refresh());
      return;
    }
    this.#deleteAll.textContent = question;
    this.#deleteAll.addEventListener('blur', () => (this.#deleteAll.textContent = this.#say('Delete all')), {
      once: true,
    });
  }

  #export(): void {
    const blob = new Blob([writeConversations(this.#all)], { type: 'application/json' });
    const link = h('a', { href: URL.createObjectURL(blob), download: FILE_NAME });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser may still be reading
  }

  #import(): void {
    const input = h('input', { type: 'file', accept: 'application/json,.json' });
    input.addEventListener('change', () => {
      const [file] = input.files ?? [];
      if (file) void this.take(file);
    });
    input.click();
  }

  /** Adds the conversations of a file; those that are kept already are replaced. */
  async take(file: Blob): Promise<void> {
    try {
      await this.#history.database.put(...readConversations(await file.text()));
      await this.refresh();
      this.#requests.say(this.#note.textContent);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    const why = error instanceof Error ? error.message : String(error);
    const lead =
      error instanceof AtomoeError ? '' : `${this.#say('This browser keeps no conversations here:')} `;
    this.#note.textContent = lead + why;
  }
}
