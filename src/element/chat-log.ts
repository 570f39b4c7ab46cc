/** The messages as they are on the page: appended, never redrawn, the growing one by one text node. */
import { activeIn, h } from './dom.ts';
import type { ChatFeature } from './features.ts';
import type { ChatTexts } from './chat-texts.ts';
import type { ChatState, Message } from './state.ts';
import { TurnView, type MakeMarkdown, type TurnContext, type TurnRequests } from './turn-view.ts';

/** Closer to the end than this counts as reading along. */
const AT_BOTTOM_PX = 24;

/** A button by the place of its message. */
interface FocusPlace {
  readonly index: number;
  readonly action: string;
}

/** The list of messages, scrolled to its end while the reader is there. */
export class ChatLog {
  readonly element: HTMLElement;
  readonly newText: HTMLButtonElement;
  readonly #requests: TurnRequests;
  readonly #empty = h('slot', { name: 'empty' });
  readonly #cut = h('p', { class: 'cut', part: 'cut' });
  readonly #views: TurnView[] = [];
  #texts: ChatTexts;
  #features: ReadonlySet<ChatFeature> = new Set();
  #makeMarkdown: MakeMarkdown | undefined;
  #isLoadingMarkdown = false;
  #isStory = false;
  #own: readonly HTMLElement[] = [];
  #isAtBottom = true;
  #last: ChatState | undefined;
  #awaited: FocusPlace | undefined; // where the focus goes once that button is there

  constructor(requests: TurnRequests, texts: ChatTexts) {
    this.#texts = texts;
    this.#requests = {
      ...requests,
      act: (action, message) => {
        if (action === 'edit') void this.#edit(message);
        else requests.act(action, message);
      },
      own: (action, message) => requests.own?.(action, message),
      edit: (message, text) => requests.edit(message, text),
      style: (sheet) => requests.style(sheet),
    };
    const attributes = { class: 'log', part: 'log', role: 'log', 'aria-live': 'off', tabindex: '0' };
    this.element = h('div', attributes, this.#empty);
    this.newText = h('button', {
      class: 'new-text quiet',
      part: 'new-text',
      type: 'button',
      hidden: true,
    });
    this.newText.addEventListener('click', () => this.#toBottom());
    this.element.addEventListener('scroll', () => this.#watchScroll(), { passive: true });
    this.configure(texts, this.#features);
  }

  configure(texts: ChatTexts, features: ReadonlySet<ChatFeature>): void {
    if (texts !== this.#texts) this.#remove(0);
    this.#texts = texts;
    this.#features = features;
    this.element.setAttribute('aria-label', texts.conversation);
    this.newText.textContent = texts.newText;
    if (this.#last) this.render(this.#last);
  }

  /** Buttons of the page's own. */
  set own(own: readonly HTMLElement[]) {
    this.#own = own;
    if (this.#last) this.render(this.#last);
  }

  render(state: ChatState): void {
    this.#last = state;
    // A model without a chat template continues text: prompt and continuation are one story.
    const isStory = state.model ? !state.model.hasChatTemplate : this.#isStory;
    if (isStory !== this.#isStory) this.#remove(0);
    this.#isStory = isStory;
    this.#empty.hidden = state.messages.length > 0;
    const groups = isStory ? storiesOf(state.messages) : state.messages.map((message) => [message]);
    if (!isStory && groups.length > 0) this.#wantMarkdown();
    const makeMarkdown = this.#features.has('markdown') ? this.#makeMarkdown : undefined;
    const context = {
      state,
      features: this.#features,
      texts: this.#texts,
      isStory,
      makeMarkdown,
      own: this.#own,
    };
    const focused = this.#removeOthers(groups);
    let hasGrown = false;
    groups.forEach((group, index) => {
      const view = this.#views[index] ?? this.#add(group, context);
      hasGrown = view.render(group, context) || hasGrown;
    });
    this.#showCut(state);
    const awaited = activeIn(this.element) === this.element ? this.#awaited : undefined;
    const lost = focused ?? awaited;
    if (lost) this.#restoreFocus(lost);
    if (!hasGrown) return;
    if (this.#isAtBottom) this.#toBottom();
    else this.newText.hidden = false;
  }

  #add([first]: readonly Message[], context: TurnContext): TurnView {
    if (!first) throw new Error('a message was expected');
    const view = new TurnView(first, context, this.#requests);
    this.#views.push(view);
    this.element.append(view.element);
    return view;
  }

  async #edit(message: Message): Promise<void> {
    const { TurnEditor } = await import('./turn-editor.ts');
    const view = this.#views.find(({ messages }) => messages.some(({ id }) => id === message.id));
    view?.edit({ texts: this.#texts }, TurnEditor);
  }

  /** Removes views from the first on that shows something else. @returns where the focus was, if it was in one of them */
  #removeOthers(groups: readonly (readonly Message[])[]): FocusPlace | undefined {
    const index = this.#views.findIndex((view, at) => !view.shows(groups[at] ?? []));
    return index < 0 ? undefined : this.#remove(index);
  }

  #remove(from: number): FocusPlace | undefined {
    let focused: FocusPlace | undefined;
    for (const [at, view] of this.#views.splice(from).entries()) {
      const action = view.focused;
      if (action) focused = { index: from + at, action };
      view.element.remove();
    }
    if (from > 0) return focused;
    this.#isAtBottom = true;
    this.newText.hidden = true;
    return focused;
  }

  /** The button that was used is gone with its message; the one in the place of it has the focus, or the conversation. */
  #restoreFocus(lost: FocusPlace): void {
    const button = this.#views[lost.index]?.button(lost.action);
    (button ?? this.element).focus({ preventScroll: true });
    this.#awaited = button ? undefined : lost; // a reply has its buttons when it has ended
  }

  /** A line between what the model is not given any more and the rest. */
  #showCut({ leftOut }: ChatState): void {
    const isOut = (view: TurnView): boolean => view.messages.every(({ id }) => leftOut.includes(id));
    for (const view of this.#views) view.element.classList.toggle('left-out', isOut(view));
    const last = this.#views.findLast(isOut);
    const isFirstOut = this.#views[0] && isOut(this.#views[0]);
    if (!last) this.#cut.remove();
    else if (last.element.nextSibling !== this.#cut) last.element.after(this.#cut);
    const text = isFirstOut ? this.#texts.cut : this.#texts.cutFaint;
    if (this.#cut.textContent !== text) this.#cut.textContent = text;
  }

  /** Until it is there, and where it cannot be loaded, replies are plain text. */
  #wantMarkdown(): void {
    if (this.#isLoadingMarkdown || !this.#features.has('markdown')) return;
    this.#isLoadingMarkdown = true;
    import('./markdown.ts').then(
      ({ MarkdownBody, richSheet }) => {
        this.#requests.style(richSheet);
        this.#makeMarkdown = () => new MarkdownBody(this.#texts);
        if (this.#last) this.render(this.#last);
      },
      () => (this.#isLoadingMarkdown = false),
    );
  }

  #toBottom(): void {
    this.element.scrollTop = this.element.scrollHeight;
    this.#isAtBottom = true;
    this.newText.hidden = true;
  }

  #watchScroll(): void {
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    this.#isAtBottom = scrollHeight - scrollTop - clientHeight < AT_BOTTOM_PX;
    if (this.#isAtBottom) this.newText.hidden = true;
  }
}

/** A story is a prompt and the reply to it. */
function storiesOf(messages: readonly Message[]): Message[][] {
  const stories: Message[][] = [];
  for (const message of messages) {
    if (message.role === 'user' || stories.length === 0) stories.push([]);
    stories.at(-1)?.push(message);
  }
  return stories;
}
