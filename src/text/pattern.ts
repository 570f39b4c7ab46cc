/**
 * Regular expressions of a tokenizer.json, matched in time that grows with the text and not with its square or worse. The
 * patterns come with the model, and JavaScript's own matcher cannot be stopped: `(a+)+$` would hold the thread permanently.
 *
 * A backtracking matcher over a small program, which never tries a place of the program twice at one place of the text:
 * what failed there once fails again, since nothing but the two places counts. So there are no back references.
 */
import { AtomoeError } from '../errors.ts';
import { compilePattern, OPS, type Program } from './pattern-program.ts';

/** Steps for each letter of a text; patterns of published tokenizers take some 10 to 40. */
const STEPS_PER_LETTER = 400;
const LEAST_STEPS = 1_000_000;
const MOST_STEPS = 60_000_000;

/** Normalizers may lengthen a text this many times, and by this much. */
const MOST_GROWTH = 8;
const LEAST_ROOM = 65_536;

/** Of what matchers note down: a bit for each fork of the pattern and letter of the text. */
const MOST_BYTES = 64 * 1024 * 1024;

let stepsLeft = LEAST_STEPS; // of the text at hand: encoding one is never interrupted by another
let room = LEAST_ROOM;
let bytesLeft = MOST_BYTES;

/** Encodes a text under a budget that fits its length. */
export function withPatternBudget<T>(letters: number, encode: () => T): T {
  stepsLeft = Math.min(LEAST_STEPS + letters * STEPS_PER_LETTER, MOST_STEPS);
  bytesLeft = MOST_BYTES;
  room = LEAST_ROOM + letters * MOST_GROWTH;
  return encode();
}

interface Match {
  readonly 0: string;
  readonly index: number;
}

/** Used where the library expects a global RegExp. Replacements are plain text: `$1` is a dollar and a one. */
export class Pattern {
  readonly flags = 'gu';
  readonly #find: (text: string) => Generator<Match, void, undefined>;

  constructor(pattern: { readonly literal: string } | { readonly source: string }) {
    if ('literal' in pattern) {
      this.#find = (text) => findLiteral(text, pattern.literal);
      return;
    }
    const program = compilePattern(pattern.source);
    this.#find = (text) => findAll(program, text);
  }

  [Symbol.match](text: string): string[] | null {
    const found = Array.from(this.#find(text), (match) => match[0]);
    return found.length > 0 ? found : null;
  }

  [Symbol.matchAll](text: string): Generator<Match, void, undefined> {
    return this.#find(text);
  }

  [Symbol.replace](text: string, content: string): string {
    let result = '';
    let from = 0;
    for (const { 0: matched, index } of this.#find(text)) {
      result += text.slice(from, index) + content;
      from = index + matched.length;
      if (result.length > room) throw tooLong();
    }
    return result + text.slice(from);
  }

  [Symbol.split](text: string): string[] {
    const parts: string[] = [];
    let from = 0;
    for (const { 0: matched, index } of this.#find(text)) {
      parts.push(text.slice(from, index));
      from = index + matched.length;
    }
    return [...parts, text.slice(from)];
  }
}

function* findLiteral(text: string, literal: string): Generator<Match, void, undefined> {
  for (let at = text.indexOf(literal); at >= 0; at = text.indexOf(literal, at + literal.length)) {
    pay(1);
    yield { 0: literal, index: at };
  }
}

/** Matches from left to right that do not overlap, as `matchAll` gives them. */
function* findAll(program: Program, text: string): Generator<Match, void, undefined> {
  const matcher = new Matcher(program, text);
  let at = 0;
  while (at <= text.length) {
    const end = matcher.match(at);
    if (end >= 0) {
      yield { 0: text.slice(at, end), index: at };
      matcher.forget(end);
    }
    at = end > at ? end : at + width(text, at);
  }
}

function width(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}

/** One program over one text. */
class Matcher {
  readonly #program: Program;
  readonly #text: string;
  readonly #tried: Uint8Array; // bits: [text.length + 1, forks]
  readonly #stack: number[] = [];
  readonly #looks: ({ matcher: Matcher; known: Int8Array } | undefined)[] = []; // known: 1, -1, or 0: not asked yet
  readonly #touched: number[] | undefined; // places tried since the last match, in a look ahead

  constructor(program: Program, text: string, isLook = false) {
    this.#program = program;
    this.#text = text;
    this.#tried = notes(((text.length + 1) * program.forks) / 8 + 1);
    this.#touched = isLook ? [] : undefined;
  }

  /** A match ended here: what is on its way did not fail. */
  forget(at: number): void {
    const { forks } = this.#program;
    for (let place = at * forks; place < (at + 1) * forks; place++) this.#clear(place);
  }

  /** @returns where the match that begins at `start` ends; -1: there is none */
  match(start: number): number {
    const { ops, forks } = this.#program;
    const [stack, tried] = [this.#stack, this.#tried];
    stack.length = 0;
    stack.push(0, start);
    let steps = 0;
    while (stack.length > 0) {
      let at = stack.pop() ?? 0;
      let pc = stack.pop() ?? 0;
      for (let isAlive = true; isAlive;) {
        if (++steps > 4096) {
          pay(steps);
          steps = 0;
        }
        const [op, a, b] = [ops[pc] ?? 0, ops[pc + 1] ?? 0, ops[pc + 2] ?? 0];
        if (op === OPS.set) {
          const code = this.#text.codePointAt(at);
          isAlive = code !== undefined && this.#has(a, code);
          at += code !== undefined && code > 0xffff ? 2 : 1;
          pc += 3;
        } else if (op === OPS.fork) {
          const place = at * forks + (ops[pc + 3] ?? 0);
          const byte = tried[place >>> 3] ?? 0;
          isAlive = (byte & (1 << (place & 7))) === 0;
          tried[place >>> 3] = byte | (1 << (place & 7));
          if (isAlive) {
            stack.push(b, at);
            this.#touched?.push(place);
          }
          pc = a;
        } else if (op === OPS.jump) pc = a;
        else if (op === OPS.look) {
          isAlive = this.#looksAhead(a, at) === (b === 1);
          pc += 3;
        } else if (op === OPS.behind) {
          isAlive = this.#looksBehind(a, at) === (b === 1);
          pc += 3;
        } else {
          pay(steps);
          return at;
        }
      }
    }
    pay(steps);
    return -1;
  }

  #clear(place: number): void {
    this.#tried[place >>> 3] = (this.#tried[place >>> 3] ?? 0) & ~(1 << (place & 7));
  }

  #has(set: number, code: number): boolean {
    return this.#program.sets[set]?.has(code) ?? false;
  }

  #looksAhead(look: number, at: number): boolean {
    const program = this.#program.looks[look];
    if (!program) return false;
    const { matcher, known } = (this.#looks[look] ??= {
      matcher: new Matcher(program, this.#text, true),
      known: new Int8Array(notes(this.#text.length + 1).buffer),
    });
    if (known[at] === 0) known[at] = matcher.#isAt(at) ? 1 : -1;
    return known[at] === 1;
  }

  /** A look ahead may find the same places again from elsewhere: after a match they are as if never tried. */
  #isAt(at: number): boolean {
    const isFound = this.match(at) >= 0;
    for (const place of this.#touched ?? []) if (isFound) this.#clear(place);
    if (this.#touched) this.#touched.length = 0;
    return isFound;
  }

  #looksBehind(set: number, at: number): boolean {
    if (at === 0) return false;
    const isLow = at > 1 && /[\udc00-\udfff]/.test(this.#text.charAt(at - 1));
    const pair = isLow ? (this.#text.codePointAt(at - 2) ?? 0) : 0;
    return this.#has(set, pair > 0xffff ? pair : this.#text.charCodeAt(at - 1));
  }
}

function notes(bytes: number): Uint8Array<ArrayBuffer> {
  bytesLeft -= bytes;
  if (bytesLeft < 0) throw takesTooMuch('memory');
  return new Uint8Array(bytes);
}

function pay(steps: number): void {
  stepsLeft -= steps;
  if (stepsLeft < 0) throw takesTooMuch('time');
}

function takesTooMuch(what: string): AtomoeError {
  return new AtomoeError(
    'bad-file',
    `tokenizer.json: a regular expression takes too much ${what} on this text; wanted a pattern of a published ` +
      "tokenizer's kind; shorten the text, or choose another model",
  );
}

function tooLong(): AtomoeError {
  return new AtomoeError(
    'bad-file',
    `tokenizer.json: the normalizer makes more than ${room} letters of this text; wanted at most ${MOST_GROWTH} for ` +
      'each; shorten the text, or choose another model',
  );
}
