/** The thoughts of one reply, folded away: their summary says whether the model still thinks. */
import { h } from './dom.ts';

/** A `<details>` that grows with the thoughts of a reply. It takes one line until somebody opens it. */
export class Thoughts {
  readonly #text = new Text();
  readonly #summary = h('summary', {}, 'Thoughts');
  readonly element = h(
    'details',
    { class: 'thoughts', part: 'thoughts' },
    this.#summary,
    h('div', { dir: 'auto' }, this.#text),
  );
  #isThinking = false;

  /**
   * @param text - all thoughts so far
   * @returns whether the page grew
   */
  show(text: string, isThinking: boolean): boolean {
    const added = text.length - this.#text.length;
    if (added > 0) this.#text.appendData(text.slice(this.#text.length));
    if (isThinking !== this.#isThinking) this.#summary.textContent = isThinking ? 'Thinking…' : 'Thoughts';
    this.#isThinking = isThinking;
    return added > 0 && this.element.open;
  }
}
