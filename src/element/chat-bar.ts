/** The line above a conversation: how much of the context is in use, and what concerns all of it. */
import { fill, type ChatTexts } from './chat-texts.ts';
import { h } from './dom.ts';
import type { ChatFeature } from './features.ts';
import type { ChatState } from './state.ts';

/** What people ask for with the buttons of the bar. */
export type BarAction = 'copyAll' | 'new' | 'history' | 'settings';

/** The name of a panel. */
export type PanelName = 'history' | 'settings';

const ACTIONS: readonly BarAction[] = ['copyAll', 'new', 'history', 'settings'];

/** The line of buttons. It is there where a feature that has its place in it was asked for. */
export class ChatBar {
  readonly #bar = h('progress', { max: '1' });
  readonly #use = h('span');
  readonly #meter = h('div', { class: 'meter', part: 'meter' }, this.#bar, this.#use);
  readonly #buttons = new Map<BarAction, HTMLButtonElement>();
  readonly element = h('div', { class: 'bar', part: 'bar' }, this.#meter);
  #texts: ChatTexts | undefined;
  #features: ReadonlySet<ChatFeature> = new Set();

  constructor(act: (action: BarAction) => void) {
    for (const action of ACTIONS) {
      const button = h('button', { type: 'button', class: 'small' });
      button.addEventListener('click', () => {
        if (button.getAttribute('aria-disabled') !== 'true') act(action);
      });
      this.#buttons.set(action, button);
      this.element.append(button);
    }
  }

  configure(texts: ChatTexts, features: ReadonlySet<ChatFeature>): void {
    this.#texts = texts;
    this.#features = features;
    const hasBar = (['meter', 'new', 'settings', 'history'] as const).some((each) => features.has(each));
    this.element.hidden = !hasBar;
    this.#bar.setAttribute('aria-label', texts.context);
    for (const [action, button] of this.#buttons) {
      button.textContent = texts[action];
      if (action === 'new') button.title = texts.newLong;
      button.hidden = !features.has(action === 'copyAll' ? 'copy' : action);
    }
  }

  /** Says which panel is open. */
  mark(open: PanelName | undefined): void {
    for (const name of ['history', 'settings'] as const) {
      this.#buttons.get(name)?.setAttribute('aria-expanded', String(name === open));
    }
  }

  focus(action: BarAction): void {
    this.#buttons.get(action)?.focus();
  }

  render({ context, messages, kind }: ChatState): void {
    if (this.element.hidden || !this.#texts) return;
    const isBusy = kind === 'replying' || kind === 'loading';
    const isEmpty = messages.length === 0;
    this.#buttons.get('copyAll')?.setAttribute('aria-disabled', String(isEmpty));
    this.#buttons.get('new')?.setAttribute('aria-disabled', String(isEmpty || isBusy));
    this.#meter.hidden = !context || !this.#features.has('meter');
    if (!context || this.#meter.hidden) return;
    const { usedTokens, totalTokens } = context;
    this.#bar.value = Math.min(1, usedTokens / totalTokens);
    const use = fill(this.#texts.contextUse, {
      used: usedTokens.toLocaleString(),
      total: totalTokens.toLocaleString(),
    });
    if (this.#use.textContent !== use) this.#use.textContent = use;
  }
}
