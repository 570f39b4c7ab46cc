/** What the buttons of a chat do: with messages, with the whole conversation, and with panels. */
import type { GenerateOptions } from '../engine/api.ts';
import type { BarAction, PanelName } from './chat-bar.ts';
import { fill, type ChatTexts } from './chat-texts.ts';
import type { ChatHistory } from './history.ts';
import type { ChatPanel, ChatView } from './chat-view.ts';
import { toMarkdown, turnMarkdown, type Conversation } from './conversation.ts';
import { copyText } from './dom.ts';
import { optionsOf, type ChatSettings } from './settings.ts';
import type { Message } from './state.ts';
import type { ChatStore } from './store.ts';
import type { TurnAction } from './turn-tools.ts';

/** What is around the conversation: where panels open, and what is heard. */
export type ActsView = Pick<ChatView, 'showPanel' | 'focusBar' | 'focus' | 'say'>;

/** What the buttons work with. */
export interface ActsHost {
  readonly store: ChatStore;
  readonly view: () => ActsView | undefined;
  readonly texts: () => ChatTexts;
  readonly pageOptions: () => GenerateOptions;
  readonly style: (sheet: (root: ShadowRoot) => void) => void;
  /** The settings have changed. */
  readonly onSettings: () => void;
}

/** The buttons of one chat, with its settings and the panel that is open. */
export class ChatActs {
  readonly #host: ActsHost;
  #settings: ChatSettings = {};
  #open: PanelName | undefined;
  #panel: ChatPanel | undefined; // that was shown last
  #history: Promise<ChatHistory> | undefined; // loaded when there is something to keep

  constructor(host: ActsHost) {
    this.#host = host;
  }

  get settings(): ChatSettings {
    return this.#settings;
  }

  set settings(settings: ChatSettings) {
    this.#settings = settings;
    this.#host.store.systemPrompt = settings.systemPrompt ?? '';
  }

  /** @param isVersion - of another reply to the same message */
  options(isVersion = false): GenerateOptions {
    return optionsOf(this.#settings, this.#host.pageOptions(), isVersion);
  }

  act(action: TurnAction, message: Message): void {
    const { store, texts } = this.#host;
    switch (action) {
      case 'copy':
        return this.#copy(this.#textOf(message));
      case 'regenerate':
        return void store.regenerate(message.id, this.options(true));
      case 'continue':
        return void store.continueReply(message.id, this.options());
      case 'delete':
        this.#delete(message);
        return;
      case 'previous':
        return this.#choose(message, -1);
      case 'next':
        return this.#choose(message, 1);
      case 'seed':
        if (message.figures) this.#change({ ...this.#settings, seed: message.figures.seed });
        return this.#say(texts().seedUsed);
      case 'edit': // the view's own: it puts a field there
        return;
    }
  }

  edit(message: Message, text: string): void {
    void this.#host.store.edit(message.id, text, this.options());
  }

  bar(action: BarAction): void {
    const { texts, store } = this.#host;
    switch (action) {
      case 'copyAll': {
        const names = { user: texts().you, assistant: texts().assistant };
        return this.#copy(toMarkdown(store.conversation, names));
      }
      case 'new':
        this.close(false);
        this.clear();
        this.#host.view()?.focus();
        return;
      case 'settings':
      case 'history':
        if (this.#open === action) this.close();
        else void this.#show(action);
    }
  }

  /** Closes the panel, and gives the focus to its button. @returns whether one was open */
  close(movesFocus = true): boolean {
    const open = this.#open;
    this.#open = undefined;
    if (!open) return false;
    this.#panel?.element.querySelector<HTMLElement>(':focus')?.blur(); // what was written in a field counts
    this.#host.view()?.showPanel(undefined);
    if (movesFocus) this.#host.view()?.focusBar(open);
    return true;
  }

  async #show(name: PanelName): Promise<void> {
    this.#open = name;
    const panel = await (name === 'settings' ? this.#settingsPanel() : this.#historyPanel());
    if (this.#open !== name) return;
    this.#panel = panel;
    this.#host.view()?.showPanel(name, panel);
  }

  /** Forgets the conversation on the page; what is kept stays. */
  clear(): void {
    this.#beginOther();
    this.#host.store.clear();
  }

  /** Shows another conversation; the one on the page stays kept. */
  replace(conversation: Conversation): void {
    this.#beginOther();
    this.#host.store.replace(conversation);
  }

  /** What is kept from here on is another conversation. What was asked for before comes first. */
  #beginOther(): void {
    void this.#history?.then((history) => history.begin(undefined));
  }

  /** Keeps the conversation on this device. */
  async keep(): Promise<void> {
    const { conversation } = this.#host.store;
    if (!this.#history && conversation.turns.length === 0) return;
    const history = await this.#loadHistory();
    await history.keep(conversation);
  }

  #loadHistory(): Promise<ChatHistory> {
    return (this.#history ??= import('./history.ts').then(({ ChatHistory }) => new ChatHistory()));
  }

  async #historyPanel(): Promise<ChatPanel> {
    const { HistoryPanel, richSheet } = await import('./history.ts');
    this.#host.style(richSheet);
    const history = await this.#loadHistory();
    return new HistoryPanel(history, this.#host.texts(), {
      say: (text) => this.#say(text),
      open: (saved) => {
        const { store } = this.#host;
        if (!store.replace(saved.conversation)) return;
        history.begin(saved, store.conversation);
        this.close();
      },
    });
  }

  async #settingsPanel(): Promise<ChatPanel> {
    const { SettingsPanel, richSheet } = await import('./settings-panel.ts');
    this.#host.style(richSheet);
    const change = (settings: ChatSettings): void => this.#change(settings);
    return new SettingsPanel(this.#settings, this.#host.pageOptions(), this.#host.texts(), change);
  }

  #change(settings: ChatSettings): void {
    this.settings = settings;
    this.#host.onSettings();
  }

  /** What a story begins with, which is a message of its own; empty in a chat. */
  #textOf(message: Message): string {
    const { model, messages } = this.#host.store.getState();
    if (model?.hasChatTemplate !== false) return turnMarkdown(message);
    const beginning = messages.find(({ id }) => id === message.parent);
    return `${beginning?.text ?? ''}${message.text}`.trim();
  }

  /** A story goes with its beginning, unless it is told in other versions. */
  #delete({ id, parent, versions }: Message): void {
    const { store } = this.#host;
    const isStory = store.getState().model?.hasChatTemplate === false;
    store.delete(isStory && versions.length === 1 ? (parent ?? id) : id);
  }

  #choose({ id, versions }: Message, step: -1 | 1): void {
    const number = versions.indexOf(id) + step;
    const version = versions[number];
    if (version === undefined || !this.#host.store.choose(version)) return;
    this.#say(fill(this.#host.texts().versionLong, { number: number + 1, count: versions.length }));
  }

  #copy(text: string): void {
    const { texts } = this.#host;
    void copyText(text).then((isCopied) => this.#say(isCopied ? texts().copied : texts().notCopied));
  }

  #say(text: string): void {
    this.#host.view()?.say(text);
  }
}
