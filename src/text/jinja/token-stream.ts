import { JinjaSyntaxError } from './errors.ts';
import type { Token } from './lexer.ts';

/** Deeper templates are made to overflow a stack. Python's own parser gives up at about as many. */
const MOST_NESTED = 100;

/** A parser's place in the tokens. */
export class TokenStream {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get current(): Token {
    return this.peek(0);
  }

  peek(ahead: number): Token {
    const line = this.#tokens.at(-1)?.line ?? 1;
    return this.#tokens[this.#at + ahead] ?? { type: 'eof', value: '', line };
  }

  next(): Token {
    const token = this.current;
    this.#at++;
    return token;
  }

  is(type: Token['type'], value?: string): boolean {
    return this.current.type === type && (value === undefined || this.current.value === value);
  }

  isOperator(...values: string[]): boolean {
    return this.current.type === 'operator' && values.includes(this.current.value);
  }

  isName(...values: string[]): boolean {
    return this.current.type === 'name' && values.includes(this.current.value);
  }

  skip(type: Token['type'], value: string): boolean {
    if (!this.is(type, value)) return false;
    this.#at++;
    return true;
  }

  expect(type: Token['type'], value?: string): Token {
    if (this.is(type, value)) return this.next();
    throw this.error(`expected ${value === undefined ? `a ${type}` : `"${value}"`}, got ${this.#shown()}`);
  }

  unexpected(): JinjaSyntaxError {
    return this.error(`unexpected ${this.#shown()}`);
  }

  error(what: string): JinjaSyntaxError {
    return new JinjaSyntaxError(what, this.current.line);
  }

  /** Everything that may hold itself is parsed through here. */
  nested<T>(parse: () => T): T {
    if (++this.#depth > MOST_NESTED) throw this.error(`nested deeper than ${MOST_NESTED} levels`);
    try {
      return parse();
    } finally {
      this.#depth--;
    }
  }

  #shown(): string {
    const { type, value } = this.current;
    return type === 'eof' ? 'the end of the template' : `"${value.slice(0, 40)}"`;
  }
}
