/** What can be done with one message: quiet buttons, its versions, and the figures of a reply. */
import type { ShownTurn } from './conversation.ts';
import { fill, type ChatTexts } from './chat-texts.ts';
import { h } from './dom.ts';
import type { ChatFeature } from './features.ts';
import { formatTime } from './format.ts';
import { canContinue, type ChatState } from './state.ts';

/** What people ask for with these buttons. */
export type TurnAction =
  'copy' | 'regenerate' | 'continue' | 'edit' | 'delete' | 'previous' | 'next' | 'seed';

/** Before the names of the page's own actions. */
const OWN = 'own ';

/** What the buttons depend on. */
export interface ToolsContext {
  readonly state: ChatState;
  readonly features: ReadonlySet<ChatFeature>;
  readonly texts: ChatTexts;
  readonly isStory: boolean;
  readonly own?: readonly HTMLElement[]; // what the page has put into the slot `actions`
}

/** The buttons of one message. */
export class TurnTools {
  readonly element = h('div', { class: 'tools', part: 'tools', role: 'group' });
  readonly #buttons = new Map<string, HTMLButtonElement>(); // by action; the page's own by `own` and theirs
  readonly #act: (action: TurnAction) => void;
  readonly #actOwn: (action: string) => void;
  #shown = '';
  #own: readonly HTMLElement[] | undefined;

  /**
   * @param act - called when nothing else is in progress, or to copy
   * @param actOwn - called for a button of the page's own, at any time
   */
  constructor(act: (action: TurnAction) => void, actOwn: (action: string) => void = () => {}) {
    this.#act = act;
    this.#actOwn = actOwn;
  }

  button(action: string): HTMLButtonElement | undefined {
    return this.#buttons.get(action);
  }

  /** The action of the button that has the focus. */
  get focused(): string | undefined {
    return [...this.#buttons].find(([, button]) => button.matches(':focus'))?.[0];
  }

  render(turn: ShownTurn, context: ToolsContext): void {
    const { state, texts, features } = context;
    const actions = actionsFor(turn, context);
    const isBusy = state.kind === 'replying' || state.kind === 'loading';
    const figures = features.has('figures') && turn.status !== 'streaming' ? turn.figures : undefined;
    const { versions } = turn;
    const shown = JSON.stringify([actions, versions, turn.id, isBusy, figures, texts.copy]);
    if (shown === this.#shown && context.own === this.#own) return;
    this.#shown = shown;
    this.#own = context.own;
    this.element.setAttribute('aria-label', texts.actions);
    const children: Node[] = actions.map((action) => this.#labelled(action, texts));
    if (turn.status !== 'streaming') children.push(...this.#pages(turn));
    if (versions.length > 1) children.push(this.#versions(versions.indexOf(turn.id), versions.length, texts));
    if (figures) children.push(this.#figures(figures, features.has('settings'), texts));
    const focused = this.focused;
    this.element.replaceChildren(...children);
    for (const [action, button] of this.#buttons) {
      const isFree = action === 'copy' || action.startsWith(OWN);
      button.setAttribute('aria-disabled', String(isBusy && !isFree));
    }
    if (focused) this.button(focused)?.focus({ preventScroll: true }); // replacing drops it
    this.element.hidden = children.length === 0;
  }

  #labelled(action: Exclude<TurnAction, 'previous' | 'next' | 'seed'>, texts: ChatTexts): HTMLElement {
    const long = { regenerate: texts.regenerateLong, delete: texts.deleteLong }[action as string];
    return this.#make(action, texts[action], long);
  }

  /** Buttons of the page's own: copies of what it has in the slot, for all messages or one role. */
  #pages({ role }: ShownTurn): HTMLElement[] {
    const own = (this.#own ?? []).filter(({ dataset }) => (dataset['for'] ?? role) === role);
    return own.map((given) => {
      const action = given.getAttribute('value') ?? given.textContent.trim();
      const button = this.#make(OWN + action, '', given.title || undefined, () => this.#actOwn(action));
      button.setAttribute('part', 'own-action');
      const label = given.getAttribute('aria-label');
      if (label !== null) button.setAttribute('aria-label', label);
      button.replaceChildren(...[...given.childNodes].map((node) => node.cloneNode(true)));
      return button;
    });
  }

  #make(
    action: string,
    label: string,
    title: string | undefined,
    act = () => this.#act(action as TurnAction),
  ): HTMLButtonElement {
    let button = this.#buttons.get(action);
    if (!button) {
      button = h('button', { type: 'button', class: 'small', 'data-action': action });
      const made = button;
      made.addEventListener('click', () => {
        if (made.getAttribute('aria-disabled') !== 'true') act();
      });
      this.#buttons.set(action, made);
    }
    button.textContent = label;
    if (title !== undefined) button.title = title;
    return button;
  }

  #versions(index: number, count: number, texts: ChatTexts): HTMLElement {
    const arrow = (action: 'previous' | 'next', mark: string): HTMLElement => {
      const button = this.#make(action, mark, texts[action]);
      button.setAttribute('aria-label', texts[action]);
      return button;
    };
    const values = { number: index + 1, count };
    const number = h('span', {}, fill(texts.version, values));
    return h(
      'span',
      { class: 'versions', role: 'group', 'aria-label': fill(texts.versionLong, values) },
      arrow('previous', '‹'),
      number,
      arrow('next', '›'),
    );
  }

  #figures(figures: NonNullable<ShownTurn['figures']>, hasSettings: boolean, texts: ChatTexts): HTMLElement {
    const { completionTokens, tokensPerSecond, firstTokenMs, seed } = figures;
    const parts = [
      fill(texts.tokens, { count: completionTokens }),
      ...(tokensPerSecond > 0
        ? [fill(texts.speed, { rate: tokensPerSecond.toFixed(tokensPerSecond < 10 ? 1 : 0) })]
        : []),
      fill(texts.firstToken, { time: formatTime(firstTokenMs) }),
    ];
    const seedText = fill(texts.seed, { seed });
    const seedPart = hasSettings ? this.#make('seed', seedText, texts.useSeed) : seedText;
    return h('span', { class: 'figures', part: 'figures' }, `${parts.join(' · ')} · `, seedPart);
  }
}

function actionsFor(
  turn: ShownTurn,
  { state, features, isStory }: ToolsContext,
): Exclude<TurnAction, 'previous' | 'next' | 'seed'>[] {
  const isReply = turn.role === 'assistant';
  const can = {
    copy: isReply || !isStory,
    regenerate: isReply || state.messages.at(-1)?.id === turn.id, // or nothing came
    continue: canContinue(state, turn.id),
    edit: !isReply,
    delete: isReply || !isStory,
  };
  const all = ['copy', 'regenerate', 'continue', 'edit', 'delete'] as const;
  if (turn.status === 'streaming') return [];
  return all.filter((action) => can[action] && features.has(action));
}
