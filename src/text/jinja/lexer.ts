/**
 * Cuts a template into tokens, as Jinja2 does with trim_blocks and lstrip_blocks: the newline behind a block or a comment
 * is dropped, and so is white space before one at the beginning of a line.
 */
import { JinjaSyntaxError } from './errors.ts';
import { isSpace, strip } from './text.ts';

/** A token of a template, with its line. */
export interface Token {
  readonly type: 'data' | 'begin' | 'end' | 'name' | 'string' | 'integer' | 'float' | 'operator' | 'eof';
  readonly value: string; // of begin and end: "variable" or "block"
  readonly line: number;
}

const OPENERS: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };
const TOKENS = {
  float: /(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy,
  integer: /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy,
  name: /[\p{L}_][\p{L}\p{N}\p{M}_]*/uy,
  string: /'[^'\\]*(?:\\[\s\S][^'\\]*)*'|"[^"\\]*(?:\\[\s\S][^"\\]*)*"/y,
  operator: /\/\/|\*\*|==|!=|>=|<=|[-+*/%~[\](){}><=.:|,;]/y,
} as const;
const RAW = /\{%(?:-|\+|)\s*raw\s*(?:-%\}\s*|%\})/y;
const END_RAW = /\{%(-|\+|)\s*endraw\s*(?:\+%\}|-%\}\s*|%\}\n?)/g;

/** @throws {JinjaSyntaxError} */
export function tokenize(template: string): Token[] {
  const lexer = new Lexer(template.replace(/\r\n?/g, '\n').replace(/\n$/, ''));
  while (!lexer.isDone) lexer.step();
  return lexer.tokens;
}

class Lexer {
  readonly tokens: Token[] = [];
  readonly #source: string;
  #at = 0;
  #line = 1;
  #counted = 0; // lines up to here are in #line

  constructor(source: string) {
    this.#source = source;
  }

  get isDone(): boolean {
    return this.#at >= this.#source.length;
  }

  /** Text up to the next tag, and the tag. */
  step(): void {
    const from = this.#at;
    const tag = /\{[{%#]/g;
    tag.lastIndex = from;
    const found = tag.exec(this.#source);
    if (!found) {
      this.#push('data', this.#source.slice(from));
      this.#at = this.#source.length;
      return;
    }
    const opener = found[0];
    const sign = this.#source.charAt(found.index + 2);
    this.#pushText(from, found.index, sign, opener !== '{{');
    this.#at = found.index;
    if (opener === '{%' && this.#skipRaw()) return;
    this.#at = found.index + (sign === '-' || sign === '+' ? 3 : 2);
    if (opener === '{#') this.#skipComment();
    else this.#lexTag(opener === '{{' ? 'variable' : 'block');
  }

  #pushText(from: number, to: number, sign: string, isBlock: boolean): void {
    let text = this.#source.slice(from, to);
    if (sign === '-') text = strip(text, 'right');
    else if (sign !== '+' && isBlock) {
      const line = text.lastIndexOf('\n') + 1;
      const isAtStart = line > 0 || from === 0 || this.#source[from - 1] === '\n';
      if (isAtStart && Array.from(text.slice(line)).every(isSpace)) text = text.slice(0, line);
    }
    this.#push('data', text);
  }

  #push(type: Token['type'], value: string): void {
    if (type === 'data' && value === '') return;
    while (this.#counted < this.#at) if (this.#source[this.#counted++] === '\n') this.#line++;
    this.tokens.push({ type, value, line: this.#line });
  }

  #skipComment(): void {
    const end = this.#source.indexOf('#}', this.#at);
    if (end < 0) throw this.#error('a comment has no end');
    const sign = end > this.#at ? this.#source[end - 1] : '';
    this.#at = end + 2;
    this.#trimAfter(sign, true);
  }

  #skipRaw(): boolean {
    RAW.lastIndex = this.#at;
    const begin = RAW.exec(this.#source);
    if (!begin) return false;
    const from = RAW.lastIndex;
    END_RAW.lastIndex = from;
    const end = END_RAW.exec(this.#source);
    if (!end) throw this.#error('a raw block has no end');
    this.#pushText(from, end.index, end[1] ?? '', true);
    this.#at = END_RAW.lastIndex;
    return true;
  }

  #trimAfter(sign: string | undefined, isBlock: boolean): void {
    if (sign === '-') while (isSpace(this.#source.charAt(this.#at))) this.#at++;
    else if (sign !== '+' && isBlock && this.#source[this.#at] === '\n') this.#at++;
  }

  #lexTag(kind: 'variable' | 'block'): void {
    this.#push('begin', kind);
    const open: string[] = [];
    const end = kind === 'variable' ? '}}' : '%}';
    for (;;) {
      while (isSpace(this.#source.charAt(this.#at))) this.#at++;
      const sign = this.#source.charAt(this.#at);
      const isSigned = sign === '-' || (sign === '+' && kind === 'block');
      if (open.length === 0 && this.#source.startsWith(end, this.#at + (isSigned ? 1 : 0))) {
        this.#push('end', kind);
        this.#at += isSigned ? 3 : 2;
        this.#trimAfter(isSigned ? sign : '', kind === 'block');
        return;
      }
      const token = this.#lexToken();
      if (OPENERS[token]) open.push(OPENERS[token]);
      else if (token.length === 1 && ')]}'.includes(token) && open.pop() !== token) {
        throw this.#error(`"${token}" closes nothing`);
      }
    }
  }

  /** @returns the token where it is an operator */
  #lexToken(): string {
    for (const [type, pattern] of Object.entries(TOKENS)) {
      pattern.lastIndex = this.#at;
      const value = pattern.exec(this.#source)?.[0];
      if (value === undefined) continue;
      this.#push(type as keyof typeof TOKENS, value);
      this.#at += value.length;
      return type === 'operator' ? value : '';
    }
    const letter = this.#source.charAt(this.#at);
    throw this.#error(letter === '' ? 'a tag has no end' : `unexpected "${letter}"`);
  }

  #error(what: string): JinjaSyntaxError {
    const line = this.#source.slice(0, this.#at).split('\n').length;
    return new JinjaSyntaxError(what, line);
  }
}
