/** Values that models write as programs do, read into JSON: Python's, and those of Gemma 4. */

/** Reads a string at a place, if there is one. */
type StringRule = (text: string, at: number) => { readonly value: string; readonly end: number } | undefined;

const WORDS: ReadonlyMap<string, string> = new Map([
  ['True', 'true'],
  ['False', 'false'],
  ['None', 'null'],
  ...['true', 'false', 'null'].map((word) => [word, word] as const),
]);

/** The deepest nesting that is read. */
const DEEPEST = 200;

/** What is read is no literal. Stays inside of this folder. */
class Malformed extends Error {}

/** Goes through a text. White space before what is read does not count. */
export class LiteralReader {
  readonly #text: string;
  readonly #readString: StringRule;
  #at = 0;
  #depth = 0;

  constructor(text: string, readString: StringRule) {
    this.#text = text;
    this.#readString = readString;
  }

  get isAtEnd(): boolean {
    this.#skipSpace();
    return this.#at === this.#text.length;
  }

  take(token: string): boolean {
    this.#skipSpace();
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  expect(token: string): void {
    if (!this.take(token)) throw new Malformed();
  }

  /** @param pattern - sticky */
  match(pattern: RegExp): string | undefined {
    this.#skipSpace();
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  /** Parts up to `close`, with commas between them; one may follow the last. */
  list<T>(close: string, read: () => T): T[] {
    if (++this.#depth > DEEPEST) throw new Malformed();
    const parts: T[] = [];
    while (!this.take(close)) {
      if (parts.length > 0) {
        this.expect(',');
        if (this.take(close)) break;
      }
      parts.push(read());
    }
    this.#depth -= 1;
    return parts;
  }

  /** The members of an object up to `close`, as JSON. A key is a string, or a word of its own. */
  object(close: string, separator: string): string {
    const members = this.list(close, () => {
      const key = this.#string() ?? this.match(/[^\s"',:=()[\]{}]+/y);
      if (key === undefined) throw new Malformed();
      this.expect(separator);
      return `${JSON.stringify(key)}:${this.value()}`;
    });
    return `{${members.join(',')}}`;
  }

  /** A value, as JSON. */
  value(): string {
    if (this.take('{')) return this.object('}', ':');
    const close = this.take('[') ? ']' : this.take('(') ? ')' : undefined;
    if (close !== undefined) return `[${this.list(close, () => this.value()).join(',')}]`;
    const string = this.#string();
    if (string !== undefined) return JSON.stringify(string);
    const number = this.match(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y);
    if (number !== undefined) return number;
    const word = WORDS.get(this.match(/[A-Za-z]+/y) ?? '');
    if (word === undefined) throw new Malformed();
    return word;
  }

  #string(): string | undefined {
    this.#skipSpace();
    const found = this.#readString(this.#text, this.#at);
    if (found) this.#at = found.end;
    return found?.value;
  }

  #skipSpace(): void {
    while (/\s/.test(this.#text.charAt(this.#at))) this.#at += 1;
  }
}

/** @returns undefined where the text is anything else than what `read` reads */
export function readWhole<T>(
  text: string,
  readString: StringRule,
  read: (reader: LiteralReader) => T,
): T | undefined {
  const reader = new LiteralReader(text, readString);
  try {
    const value = read(reader);
    return reader.isAtEnd ? value : undefined;
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

/** The JSON of a Python literal. */
export function readPython(text: string): string | undefined {
  return readWhole(text, pythonString, (reader) => reader.value());
}

/**
 * A string of Python in quotes. Templates do not escape quotes inside of it, so only a quote with a delimiter behind it ends it.
 */
export function pythonString(text: string, at: number): ReturnType<StringRule> {
  const quote = text.charAt(at);
  if (quote !== '"' && quote !== "'") return undefined;
  const behind = /\s*(?:[,:)\]}]|$)/y;
  for (let end = at + 1; end < text.length; end++) {
    if (text[end] === '\\') {
      end += 1; // what is escaped ends nothing
      continue;
    }
    behind.lastIndex = end + 1;
    if (text[end] === quote && behind.test(text)) {
      return { value: unescape(text.slice(at + 1, end)), end: end + 1 };
    }
  }
  return undefined;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/** Escapes that Python does not know stay as they are, as in Python. */
function unescape(text: string): string {
  const pattern = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([^xuU]))/gs;
  return text.replace(pattern, (all, x?: string, u?: string, long?: string, letter = '') => {
    const code = x ?? u ?? long;
    if (code === undefined) return ESCAPES[letter as string] ?? all;
    const point = parseInt(code, 16);
    return point <= 0x10_ff_ff ? String.fromCodePoint(point) : all;
  });
}
