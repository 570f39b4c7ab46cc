/** What can be done with the story on the stage: the element's buttons of a message, for its beginning and what was told. */
import { withTexts } from '../src/element/chat-texts.ts';
import { activeIn, h } from '../src/element/dom.ts';
import type { ChatFeature, ChatState, Message } from '../src/element/index.ts';
import type { TurnEditor } from '../src/element/turn-editor.ts';
import { TurnTools, type TurnAction } from '../src/element/turn-tools.ts';
import type { TurnRequests } from '../src/element/turn-view.ts';

/** Buttons as they are called below a story. */
export const STORY_TEXTS = withTexts({
  regenerateLong: 'Another story from the same beginning',
  edit: 'Edit beginning',
  editLabel: 'The beginning in other words',
  save: 'Tell it',
  deleteLong: 'Delete this story',
  seedUsed: 'The next stories use this seed',
});

export class StoryTools {
  readonly element = h('div', { class: 'turn', part: 'story-tools' });
  readonly #requests: Pick<TurnRequests, 'act' | 'edit'>;
  readonly #story: HTMLElement;
  readonly #begun: TurnTools;
  readonly #told: TurnTools;
  readonly #line: HTMLElement;
  #messages: { readonly begun?: Message | undefined; readonly told?: Message | undefined } = {};
  #editor: TurnEditor | undefined;
  #awaited: string | undefined; // the button that had the focus and went while a story is told

  /** @param story - has the focus while the button that had it is gone */
  constructor(requests: Pick<TurnRequests, 'act' | 'edit'>, story: HTMLElement) {
    this.#requests = requests;
    this.#story = story;
    this.#begun = new TurnTools((action) => this.#act(action, this.#messages.begun));
    this.#told = new TurnTools((action) => this.#act(action, this.#messages.told));
    this.#line = h('div', { class: 'all-tools' }, this.#told.element, this.#begun.element);
    this.element.append(this.#line);
  }

  /** @param state - undefined: there is no story on the stage */
  render(state: ChatState | undefined, features: ReadonlySet<ChatFeature>): void {
    const told = state?.messages.findLast(({ role }) => role === 'assistant');
    const begun = state?.messages.findLast(({ role }) => role === 'user');
    this.#messages = { begun, told };
    this.element.hidden = !begun;
    if (this.#editor && !begun) this.#close();
    if (!state || !begun) return;
    const focused = this.#told.focused ?? this.#begun.focused;
    // Figures stand below the story, and change while it is told.
    const without = new Set([...features].filter((each) => each !== 'figures'));
    const context = { state, features: without, texts: STORY_TEXTS, isStory: true };
    this.#begun.render(begun, context);
    this.#told.element.hidden = !told;
    if (told) this.#told.render(told, context);
    this.#keepFocus(focused);
  }

  /** A button that goes with the focus would drop it. */
  #keepFocus(focused: string | undefined): void {
    const button = (action: string): HTMLElement | undefined =>
      [this.#told, this.#begun].map((tools) => tools.button(action)).find((each) => each?.isConnected);
    const hasFocus = activeIn(this.#story) === this.#story;
    if (focused && !button(focused)) {
      this.#awaited = focused;
      this.#story.focus({ preventScroll: true });
    } else if (this.#awaited && button(this.#awaited)) {
      if (hasFocus) button(this.#awaited)?.focus({ preventScroll: true });
      this.#awaited = undefined;
    }
  }

  #act(action: TurnAction, message: Message | undefined): void {
    if (!message) return;
    if (action === 'edit') void this.#edit(message);
    else this.#requests.act(action, message);
  }

  async #edit(message: Message): Promise<void> {
    const { TurnEditor } = await import('../src/element/turn-editor.ts');
    if (this.#editor) return;
    this.#editor = new TurnEditor(message.text, STORY_TEXTS, {
      save: (text) => {
        this.#close();
        this.#requests.edit(message, text);
      },
      cancel: () => this.#close(),
    });
    this.#line.hidden = true;
    this.element.append(this.#editor.element);
    this.#editor.focus();
  }

  #close(): void {
    this.#editor?.element.remove();
    this.#editor = undefined;
    this.#line.hidden = false;
    this.#begun.button('edit')?.focus();
  }
}
