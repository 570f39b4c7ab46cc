/** The thoughts of one reply, folded away: their summary says whether the model still thinks. */
import { ENGLISH, type ChatTexts } from './chat-texts.ts';
import { h } from './dom.ts';

/** A `<details>` that grows with the thoughts of a reply. It takes one line until somebody opens it. */
export class Thoughts {
  readonly #texts: Pick<ChatTexts, 'thoughts' | 'thinking'>;
  readonly #text = new Text();
  readonly #summary: HTMLElement;
  readonly element: HTMLDetailsElement;
  #isThinking = false;

  constructor(texts: Pick<ChatTexts, 'thoughts' | 'thinking'> = ENGLISH) {
    this.#texts = texts;
    this.#summary = h('summary', {}, texts.thoughts);
    const body = h('div', { dir: 'auto' }, this.#text);
    this.element = h('details', { class: 'thoughts', part: 'thoughts' }, this.#summary, body);
  }

  /**
   * @param text - all thoughts so far
   * @returns whether the page grew
   */
  show(text: string, isThinking: boolean): boolean {
    const added = text.length - this.#text.length;
    if (added > 0) this.#text.appendData(text.slice(this.#text.length));
    if (isThinking !== this.#isThinking) {
      this.#summary.textContent = isThinking ? this.#texts.thinking : this.#texts.thoughts;
    }
    this.#isThinking = isThinking;
    return added > 0 && this.element.open;
  }
}
