/** The messages as they are on the page: appended, never redrawn, the growing one by one text node. */
import { h } from './dom.ts';
import { isThinking, type ChatState, type Message } from './state.ts';
import { Thoughts } from './thoughts.ts';

/** Closer to the end than this counts as reading along. */
const AT_BOTTOM_PX = 24;

interface Entry {
  readonly article: HTMLElement;
  readonly text: Text;
  readonly note: HTMLElement;
  thoughts?: Thoughts; // above the text, from the first one on
  shown: number; // characters of the message that are on the page
  status: Message['status'];
}

/** The list of messages, scrolled to its end while the reader is there. */
export class ChatLog {
  readonly element: HTMLElement;
  readonly newText: HTMLButtonElement;
  readonly #empty: HTMLElement;
  #entries = new Map<number, Entry>();
  #isStory = false;
  #isAtBottom = true;

  constructor() {
    this.#empty = h('slot', { name: 'empty' });
    this.element = h(
      'div',
      {
        class: 'log',
        part: 'log',
        role: 'log',
        'aria-label': 'Conversation',
        'aria-live': 'off',
        tabindex: '0',
      },
      this.#empty,
    );
    this.newText = h(
      'button',
      { class: 'new-text quiet', part: 'new-text', type: 'button', hidden: true },
      'New text ↓',
    );
    this.newText.addEventListener('click', () => this.#toBottom());
    this.element.addEventListener('scroll', () => this.#watchScroll(), { passive: true });
  }

  render(state: ChatState): void {
    // A model without a chat template continues text: prompt and continuation are one story.
    const isStory = state.model ? !state.model.hasChatTemplate : this.#isStory;
    const known = new Set(state.messages.map(({ id }) => id));
    const isGone = [...this.#entries.keys()].some((id) => !known.has(id));
    if (isStory !== this.#isStory || isGone) this.#clear();
    this.#isStory = isStory;
    this.#empty.hidden = state.messages.length > 0;
    let hasGrown = false;
    state.messages.forEach((message, index) => {
      const entry = this.#entries.get(message.id) ?? this.#add(message, state.messages[index - 1]);
      hasGrown = grow(entry, message) || hasGrown;
    });
    if (!hasGrown) return;
    if (this.#isAtBottom) this.#toBottom();
    else this.newText.hidden = false;
  }

  #add(message: Message, before: Message | undefined): Entry {
    const continued = this.#isStory && message.role === 'assistant' && before && this.#entries.get(before.id);
    const text = new Text();
    const note = h('p', { class: 'note', hidden: true });
    const entry: Entry = {
      article: continued ? continued.article : h('article', { dir: 'auto' }),
      text,
      note,
      shown: 0,
      status: 'complete',
    };
    if (continued) {
      continued.text.parentElement?.after(text);
      entry.article.append(note);
    } else {
      const name = this.#isStory ? 'Story' : message.role === 'user' ? 'You' : 'Assistant';
      const body = this.#isStory
        ? h('p', {}, h('span', { class: 'prompt', part: 'prompt' }, text))
        : h('p', {}, text);
      entry.article.setAttribute('aria-label', name);
      entry.article.setAttribute('part', `message ${message.role}`);
      if (!this.#isStory) entry.article.append(h('h4', { 'aria-hidden': 'true' }, name));
      entry.article.append(body, note);
      this.element.append(entry.article);
    }
    this.#entries.set(message.id, entry);
    return entry;
  }

  #clear(): void {
    for (const { article } of this.#entries.values()) article.remove();
    this.#entries.clear();
    this.#isAtBottom = true;
    this.newText.hidden = true;
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

/** Brings one message up to date; returns whether the page grew. */
function grow(entry: Entry, message: Message): boolean {
  const hasThought = message.thoughts !== '' && think(entry, message);
  const added = message.text.length - entry.shown;
  if (added > 0) entry.text.appendData(message.text.slice(entry.shown));
  entry.shown = message.text.length;
  if (message.status !== entry.status) {
    entry.status = message.status;
    entry.article.setAttribute('aria-busy', String(message.status === 'streaming'));
    entry.note.hidden = message.status !== 'stopped';
    entry.note.textContent = message.status === 'stopped' ? 'Stopped.' : '';
  }
  return added > 0 || hasThought;
}

function think(entry: Entry, message: Message): boolean {
  const { thoughts = new Thoughts() } = entry;
  const hasGrown = thoughts.show(message.thoughts, isThinking(message));
  if (entry.thoughts) return hasGrown;
  entry.thoughts = thoughts;
  entry.text.parentElement?.before(thoughts.element);
  return true;
}
