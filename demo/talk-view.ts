/**
 * The conversation on the stage, with the element's own parts: a story by its words, or a chat by its messages, below a line
 * of buttons for all of it. Settings and history open in its place.
 */
import type { GenerateOptions } from '../src/engine/api.ts';
import { ChatActs, type ActsView } from '../src/element/chat-acts.ts';
import { ChatBar, type BarAction, type PanelName } from '../src/element/chat-bar.ts';
import { ChatLog } from '../src/element/chat-log.ts';
import { chatSheet } from '../src/element/chat-style.ts';
import { withTexts } from '../src/element/chat-texts.ts';
import type { ChatPanel } from '../src/element/chat-view.ts';
import { h, oncePerFrame } from '../src/element/dom.ts';
import { readFeatures } from '../src/element/features.ts';
import { FEATURES, type ChatState, type ChatStore, type Message } from '../src/element/index.ts';
import type { TurnAction } from '../src/element/turn-tools.ts';
import { STORY_TEXTS, StoryTools } from './story-tools.ts';

export interface TalkParts {
  readonly bar: HTMLElement; // gets the line of buttons
  readonly talk: HTMLElement; // has the story in it, and gets what is in its place
  readonly story: HTMLElement;
  readonly status: HTMLElement; // what people hear
  readonly prompt: HTMLTextAreaElement;
}

export interface TalkHost {
  readonly store: ChatStore;
  readonly parts: TalkParts;
  /** What the page gives where people have set nothing. */
  options(): GenerateOptions;
  /** Sees to it that there is a model to ask. @returns whether there is */
  prepare(): Promise<boolean>;
  /** The settings have changed. */
  onSettings(): void;
  /** A panel has opened: it needs the place of whatever is there. */
  onPanel(): void;
}

/** What is in the place of the conversation: a story or a notice, messages, or messages with a notice below. */
export type Shown = 'story' | 'chat' | 'both';

/** What needs a model. */
const ASKING: readonly TurnAction[] = ['regenerate', 'continue'];

export class TalkView implements ActsView {
  readonly acts: ChatActs;
  readonly #host: TalkHost;
  readonly #texts = withTexts({});
  readonly #features = readFeatures(FEATURES.join(' '), true);
  readonly #bar: ChatBar;
  readonly #log: ChatLog;
  readonly #tools: StoryTools;
  readonly #slot = h('slot');
  readonly #roots: readonly ShadowRoot[];
  readonly #frame = oncePerFrame(() => this.#render());
  #panel: ChatPanel | undefined;
  #shown: Shown = 'story';
  #hasTools = false;
  #wasChat: boolean | undefined; // by the last model

  constructor(host: TalkHost) {
    const { store, parts } = host;
    this.#host = host;
    this.acts = new ChatActs({
      store,
      view: () => this,
      texts: () => (this.isChat ? this.#texts : STORY_TEXTS),
      pageOptions: () => host.options(),
      style: (sheet) => this.#roots.forEach(sheet),
      onSettings: () => host.onSettings(),
    });
    this.#bar = new ChatBar((action) => this.acts.bar(action));
    const requests = {
      act: (action: TurnAction, message: Message) => void this.act(action, message),
      edit: (message: Message, text: string) => void this.#edit(message, text),
      style: (sheet: (root: ShadowRoot) => void) => this.#roots.forEach(sheet),
    };
    this.#log = new ChatLog(requests, this.#texts);
    this.#tools = new StoryTools(requests, parts.story);
    this.#roots = [parts.bar, parts.talk].map((each) => each.attachShadow({ mode: 'open' }));
    this.#roots.forEach(chatSheet);
    this.#roots[0]?.append(this.#bar.element);
    const { element, newText } = this.#log;
    this.#roots[1]?.append(element, newText, this.#slot, this.#tools.element);
    this.#bar.configure(this.#texts, this.#features);
    this.#log.configure(this.#texts, this.#features);
    this.#arrange();
    this.#render();
  }

  /** Whether the conversation is a chat: by the model, and before one is loaded by what was said. */
  get isChat(): boolean {
    const { model, messages } = this.#host.store.getState();
    if (model) this.#wasChat = model.hasChatTemplate;
    return this.#wasChat ?? messages.length > 2;
  }

  /** Whether settings or history are open. */
  get isOpen(): boolean {
    return this.#panel !== undefined;
  }

  /** Draws the state with the next frame. @param hasTools - whether the story has its buttons */
  render(shown: Shown, hasTools: boolean): void {
    this.#hasTools = hasTools;
    if (shown !== this.#shown) {
      this.#shown = shown;
      this.#arrange();
    }
    this.#frame.request();
  }

  showPanel(name: PanelName | undefined, panel?: ChatPanel): void {
    this.#panel?.element.remove();
    this.#panel = panel;
    this.#bar.mark(name);
    this.#arrange();
    if (!panel) return;
    this.#host.onPanel();
    this.#log.element.before(panel.element);
    panel.focus();
  }

  focusBar(action: BarAction): void {
    this.#bar.focus(action);
  }

  focus(): void {
    this.#host.parts.prompt.focus();
  }

  say(text: string): void {
    this.#host.parts.status.textContent = text;
  }

  /** @param seed - of the next replies; undefined: another each time */
  useSeed(seed: number | undefined): void {
    const { seed: _, ...others } = this.acts.settings;
    this.acts.settings = seed === undefined ? others : { ...others, seed };
    this.say(seed === undefined ? 'The next ones have other seeds' : 'The next ones use this seed');
    this.#host.onSettings();
  }

  /** Does what a button of a message says. */
  async act(action: TurnAction, message: Message): Promise<void> {
    if (ASKING.includes(action) && !(await this.#host.prepare())) return;
    this.acts.act(action, message);
  }

  async #edit(message: Message, text: string): Promise<void> {
    if (await this.#host.prepare()) this.acts.edit(message, text);
  }

  #arrange(): void {
    const { talk } = this.#host.parts;
    const isOpen = this.#panel !== undefined;
    talk.dataset['shown'] = isOpen ? 'panel' : this.#shown;
    this.#slot.hidden = isOpen || this.#shown === 'chat';
    this.#log.element.hidden = isOpen || this.#shown === 'story';
    this.#frame.request();
  }

  #render(): void {
    const state: ChatState = this.#host.store.getState();
    this.#bar.render(state);
    if (!this.#log.element.hidden) this.#log.render(state);
    const isStory = this.#hasTools && this.#shown === 'story' && !this.#panel;
    this.#tools.render(isStory ? state : undefined, this.#features);
  }
}
