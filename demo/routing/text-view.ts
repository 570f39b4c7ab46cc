/** The texts of two runs as tokens that can be pointed at; what differs is marked. */
import { element } from '../notices.ts';
import type { Run } from './compare.ts';

export class TextView {
  readonly #host: HTMLElement;
  #spans: HTMLElement[] = [];

  /** @param onPick - is given the index of a token that was pressed; the range below the texts is for the keyboard */
  constructor(host: HTMLElement, onPick: (token: number) => void) {
    this.#host = host;
    host.addEventListener('click', (event) => {
      const span = event.target instanceof Element ? event.target.closest('.token') : null;
      const index = span instanceof HTMLElement ? span.dataset['token'] : undefined;
      if (index !== undefined) onPick(Number(index));
    });
  }

  show({ tokens }: Run, isDifferent: readonly boolean[]): void {
    this.#spans = tokens.map(({ text, isPrompt }, index) => {
      const span = element('span', isPrompt ? 'token from-you' : 'token');
      span.dataset['token'] = String(index);
      const word = text.trimStart();
      if (isDifferent[index])
        span.append(text.slice(0, text.length - word.length), element('mark', '', word));
      else span.append(text);
      return span;
    });
    this.#host.replaceChildren(...this.#spans);
  }

  mark(token: number): void {
    this.#spans.forEach((span, index) => span.classList.toggle('shown', index === token));
  }
}
