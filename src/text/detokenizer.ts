import { createStage } from './token-stream.ts';
import type { DecoderConfig, Stage } from './token-stream.ts';

/** What a detokeniser needs of a tokenizer. */
export interface TokenTable {
  /** The token as tokenizer.json writes it; undefined for ids without one. */
  rawToken(id: number): string | undefined;
  isSpecial(id: number): boolean;
  isAdded(rawToken: string): boolean;
  readonly decoder: DecoderConfig | null;
}

/** How ids become text. */
export interface DetokenizerOptions {
  /** Leaves out control tokens such as the end of text. Default true. */
  skipSpecialTokens?: boolean;
  /** The text continues an earlier one, so the space before its first word is kept. Default false. */
  continues?: boolean;
}

/**
 * Turns ids into text as they come, in time that does not grow with the reply. A delta never holds half a character;
 * the deltas and the last flush together are exactly `decode` of all ids.
 */
export class StreamingDetokenizer {
  readonly #table: TokenTable;
  readonly #skipsSpecial: boolean;
  readonly #stage: Stage;

  constructor(table: TokenTable, { skipSpecialTokens = true, continues = false }: DetokenizerOptions = {}) {
    this.#table = table;
    this.#skipsSpecial = skipSpecialTokens;
    this.#stage = createStage(table.decoder, { continues, isAdded: (token) => table.isAdded(token) });
  }

  /** @returns the text that this id settles; may be empty */
  push(id: number): string {
    const token = this.#table.rawToken(id);
    // Models pad their vocabulary: an id without a token writes nothing.
    if (token === undefined || (this.#skipsSpecial && this.#table.isSpecial(id))) return '';
    return this.#stage.push(token).join('');
  }

  /** Ends the text. Half a character that is left becomes U+FFFD. */
  flush(): string {
    return this.#stage.flush().join('');
  }
}
