/** The stories that were told on this page, token by token: another version of one is shown with its experts again. */
import type { TokenRoutes } from '../src/engine/api.ts';
import type { ExpertsElement, Message } from '../src/element/index.ts';
import type { StoryView } from './story-view.ts';

interface ToldToken {
  readonly text: string;
  readonly routes: TokenRoutes | undefined;
}

/** Routes take two kilobytes a token, for some models more: of older stories the words are kept, not the experts. */
const MOST_STORIES = 16;

export class StoryScript {
  readonly #view: StoryView;
  readonly #experts: ExpertsElement;
  readonly #told = new Map<number, ToldToken[]>(); // by the id of the reply
  #shown = ''; // which story is on the stage

  constructor(view: StoryView, experts: ExpertsElement) {
    this.#view = view;
    this.#experts = experts;
  }

  /** Something else is in the place of the story. */
  leave(): void {
    this.#shown = '';
  }

  /** Another model: its experts are others. */
  forget(): void {
    this.#told.clear();
  }

  /** Takes a token of the reply that is coming. @param isSeen - whether the story is on the stage */
  hear(reply: number | undefined, text: string, routes: TokenRoutes | undefined, isSeen: boolean): void {
    if (reply === undefined) return;
    const tokens = this.#told.get(reply) ?? [];
    tokens.push({ text, routes });
    this.#told.set(reply, tokens);
    const [oldest] = this.#told.keys();
    if (this.#told.size > MOST_STORIES && oldest !== undefined) this.#told.delete(oldest);
    const pieces = this.#experts.addToken(text, routes);
    if (isSeen) this.#view.add(pieces);
  }

  /** Puts a story on the stage, unless it is there: its beginning, and what was told so far. */
  show(begun: Message, told: Message | undefined): void {
    const shown = `${begun.id} ${told?.id}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#view.begin(begun.text);
    if (!told) return;
    const tokens = this.#told.get(told.id) ?? [];
    const known = tokens.map(({ text }) => text).join('');
    const isWhole = told.text.startsWith(known); // else it was told elsewhere
    if (isWhole) {
      for (const { text, routes } of tokens) this.#view.add(this.#experts.addToken(text, routes));
    }
    const rest = isWhole ? told.text.slice(known.length) : told.text;
    if (rest !== '') this.#view.add(this.#experts.addToken(rest, undefined));
    this.#view.flush();
    this.#experts.settle();
  }
}
