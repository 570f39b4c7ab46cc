/** Cuts a stream of tokens into words, and remembers which tokens made each. */

/** A part of a text: white space, or a word with its number. */
export type Piece =
  | { readonly kind: 'space'; readonly text: string }
  | { readonly kind: 'word'; readonly text: string; readonly word: number; readonly isNew: boolean };

/** Words are numbered from 0; a token may continue a word, begin one, or hold several. */
export class WordStream {
  #words: string[] = [];
  #isInWord = false;

  get words(): readonly string[] {
    return this.#words;
  }

  push(token: string): Piece[] {
    return (token.match(/\s+|\S+/gu) ?? []).map((text) => this.#piece(text));
  }

  #piece(text: string): Piece {
    if (/^\s/u.test(text)) {
      this.#isInWord = false;
      return { kind: 'space', text };
    }
    const isNew = !this.#isInWord;
    const word = isNew ? this.#words.length : this.#words.length - 1;
    this.#words[word] = (this.#words[word] ?? '') + text;
    this.#isInWord = true;
    return { kind: 'word', text, word, isNew };
  }
}

/** The word as a dictionary would list it: no case, no punctuation around it. */
export function bareWord(word: string): string {
  return word.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, '').toLowerCase();
}
