/** The story as words that can be pointed at: one span per word, one listener for all of them. */
import type { ExpertPick, ExpertsElement, Piece } from '../src/element/index.ts';

/** Closer to the end than this counts as reading along. */
const AT_END_PX = 32;

export class StoryView {
  readonly #host: HTMLElement;
  readonly #experts: ExpertsElement;
  #words: HTMLSpanElement[] = [];
  #pending: Piece[] = [];
  #frame = 0;
  #shown: number | undefined;
  #isAtEnd = true;
  #isFromYou = false;

  constructor(host: HTMLElement, experts: ExpertsElement) {
    this.#host = host;
    this.#experts = experts;
    host.addEventListener('pointerover', (event) => this.#show(this.#wordAt(event.target)));
    host.addEventListener('pointerleave', () => this.#show(undefined));
    host.addEventListener('blur', () => this.#show(undefined));
    host.addEventListener('keydown', (event) => this.#walk(event));
    host.addEventListener('scroll', () => this.#watchScroll(), { passive: true });
    new ResizeObserver(() => this.#toEnd()).observe(host);
    experts.addEventListener('experts-pick', (event) => this.#markLiked(event.detail));
  }

  /** Begins a story with the visitor's own words. */
  begin(prompt: string): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#pending = [];
    this.#words = [];
    this.#shown = undefined;
    this.#isAtEnd = true;
    this.#host.replaceChildren();
    this.#experts.reset();
    this.#isFromYou = true;
    this.#append(this.#experts.addToken(prompt, undefined));
    this.#isFromYou = false;
  }

  /** Adds what a token brought; painted with the next frame. */
  add(pieces: readonly Piece[]): void {
    this.#pending.push(...pieces);
    this.#frame ||= requestAnimationFrame(() => this.flush());
  }

  /** Paints what is waiting. */
  flush(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    if (this.#pending.length === 0) return;
    this.#append(this.#pending.splice(0));
    this.#toEnd();
  }

  /** Stays at the end with somebody who reads along. A notice in the place of the story is read from its beginning. */
  #toEnd(): void {
    if (this.#isAtEnd && this.#words[0]?.isConnected) this.#host.scrollTop = this.#host.scrollHeight;
  }

  #append(pieces: readonly Piece[]): void {
    const fragment = document.createDocumentFragment();
    for (const piece of pieces) {
      if (piece.kind === 'space') {
        fragment.append(piece.text);
        continue;
      }
      const known = this.#words[piece.word];
      if (known) known.append(piece.text);
      else fragment.append(this.#newWord(piece.word, piece.text));
    }
    this.#host.append(fragment);
  }

  #newWord(word: number, text: string): HTMLSpanElement {
    const span = document.createElement('span');
    span.className = this.#isFromYou ? 'word from-you' : 'word';
    span.dataset['word'] = String(word);
    span.textContent = text;
    this.#words[word] = span;
    return span;
  }

  #wordAt(target: EventTarget | null): number | undefined {
    const word = target instanceof HTMLElement ? target.dataset['word'] : undefined;
    return word === undefined ? undefined : Number(word);
  }

  #show(word: number | undefined): void {
    if (word === this.#shown) return;
    if (this.#shown !== undefined) this.#words[this.#shown]?.classList.remove('shown');
    if (word !== undefined) this.#words[word]?.classList.add('shown');
    this.#shown = word;
    this.#experts.showWord(word);
  }

  /** The same walk for the keyboard: arrows go from word to word. */
  #walk(event: KeyboardEvent): void {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0 || event.altKey || event.ctrlKey || event.metaKey || this.#words.length === 0) return;
    event.preventDefault();
    const from = this.#shown ?? (step > 0 ? -1 : this.#words.length);
    const word = Math.min(this.#words.length - 1, Math.max(0, from + step));
    this.#show(word);
    this.#words[word]?.scrollIntoView({ block: 'nearest' });
  }

  #markLiked(pick: ExpertPick | null): void {
    const liked = new Set(pick?.words);
    this.#words.forEach((span, word) => span.classList.toggle('liked', liked.has(word)));
  }

  #watchScroll(): void {
    const { scrollHeight, scrollTop, clientHeight } = this.#host;
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight < AT_END_PX;
  }
}
