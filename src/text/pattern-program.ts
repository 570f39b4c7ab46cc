/** Turns a regular expression (JavaScript's syntax, unicode mode) into a program for `pattern.ts`. */
import { AtomoeError } from '../errors.ts';

/** Operation codes of a program. */
export const OPS = { match: 0, set: 1, fork: 2, jump: 3, look: 4, behind: 5 } as const;

/** Instructions of a program: `{1,1000}` is written out. Published tokenizers need some hundred. */
const MOST_INSTRUCTIONS = 2000;
const FORK_SIZE = 4;
const MOST_NESTED = 50;

/** Which letters an element of the pattern takes, by JavaScript's own matcher, which is asked once for each letter. */
export class LetterSet {
  readonly #test: RegExp;
  readonly #known = new Map<number, boolean>();
  readonly #low = new Int8Array(256); // 1, -1, 0 unknown

  constructor(source: string) {
    this.#test = new RegExp(`^${source}$`, 'u');
  }

  has(code: number): boolean {
    if (code < 256) {
      if (this.#low[code] === 0) this.#low[code] = this.#ask(code) ? 1 : -1;
      return this.#low[code] === 1;
    }
    let known = this.#known.get(code);
    if (known === undefined) this.#known.set(code, (known = this.#ask(code)));
    return known;
  }

  #ask(code: number): boolean {
    return this.#test.test(String.fromCodePoint(code));
  }
}

/** A regular expression as instructions of a backtracking machine. */
export interface Program {
  readonly ops: Int32Array; // fork: [op, first, second, number]; else [op, a, b]
  readonly forks: number;
  readonly sets: readonly LetterSet[];
  readonly looks: readonly Program[];
}

type Node =
  | { readonly kind: 'set'; readonly source: string }
  | { readonly kind: 'sequence'; readonly items: readonly Node[] }
  | { readonly kind: 'choice'; readonly items: readonly Node[] }
  | {
      readonly kind: 'repeat';
      readonly item: Node;
      readonly least: number;
      readonly most: number;
      readonly isLazy: boolean;
    }
  | { readonly kind: 'look'; readonly item: Node; readonly isAhead: boolean; readonly isWanted: boolean };

/** @throws {AtomoeError} unsupported-model - a part that cannot be matched in bounded time */
export function compilePattern(source: string): Program {
  return new ProgramBuilder().build(new PatternParser(source).parse());
}

class PatternParser {
  readonly #source: string;
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
  }

  parse(): Node {
    const whole = this.#choice();
    if (this.#at < this.#source.length) throw unsupported(this.#source.slice(this.#at, this.#at + 10));
    return whole;
  }

  #choice(): Node {
    if (++this.#depth > MOST_NESTED) throw unsupported('deeply nested groups');
    const items = [this.#sequence()];
    while (this.#skip('|')) items.push(this.#sequence());
    this.#depth--;
    return items.length === 1 && items[0] ? items[0] : { kind: 'choice', items };
  }

  #sequence(): Node {
    const items: Node[] = [];
    while (this.#at < this.#source.length && !/[|)]/.test(this.#source.charAt(this.#at))) {
      items.push(this.#repeats(this.#atom()));
    }
    return { kind: 'sequence', items };
  }

  #repeats(item: Node): Node {
    const match = /^(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})(\??)/.exec(
      this.#source.slice(this.#at, this.#at + 40),
    );
    if (!match) return item;
    this.#at += match[0].length;
    const [, sign, low = '', comma, high = '', lazy] = match;
    const least = sign ? (sign === '+' ? 1 : 0) : Number(low);
    const open = sign ? sign !== '?' : comma !== undefined && high === '';
    const most = open ? Number.POSITIVE_INFINITY : sign ? 1 : Number(comma ? high : low);
    return this.#repeats({ kind: 'repeat', item, least, most, isLazy: lazy === '?' });
  }

  #atom(): Node {
    if (this.#source[this.#at] === '(') return this.#group();
    const rest = this.#source.slice(this.#at);
    const match =
      /^(?:\[(?:\\[\s\S]|[^\]\\])*\]|\\(?:[pP]\{[^}]*\}|u\{[^}]*\}|u[\da-fA-F]{4}|x[\da-fA-F]{2}|c[A-Za-z]|[^bBk1-9])|[^\\])/u.exec(
        rest,
      );
    if (!match || match[0] === '^' || match[0] === '$') throw unsupported(rest.slice(0, 10));
    this.#at += match[0].length;
    return { kind: 'set', source: match[0] };
  }

  #group(): Node {
    const head =
      /^\((?:\?(?::|=|!|<=|<!|<\w+>))?/.exec(this.#source.slice(this.#at, this.#at + 80))?.[0] ?? '(';
    this.#at += head.length;
    const item = this.#choice();
    if (!this.#skip(')')) throw unsupported('a group without an end');
    if (!/[=!]$/.test(head)) return item;
    return { kind: 'look', item, isAhead: !head.includes('<'), isWanted: head.endsWith('=') };
  }

  #skip(letter: string): boolean {
    if (this.#source[this.#at] !== letter) return false;
    this.#at++;
    return true;
  }
}

class ProgramBuilder {
  readonly #ops: number[] = [];
  readonly #sets = new Map<string, number>();
  readonly #looks: Program[] = [];
  #forks = 0;

  build(node: Node): Program {
    this.#add(node);
    this.#emit(OPS.match, 0, 0);
    return {
      ops: Int32Array.from(this.#ops),
      forks: this.#forks,
      sets: Array.from(this.#sets.keys(), (source) => new LetterSet(source)),
      looks: this.#looks,
    };
  }

  #add(node: Node): void {
    if (node.kind === 'set') this.#emit(OPS.set, this.#set(node.source), 0);
    else if (node.kind === 'sequence') for (const item of node.items) this.#add(item);
    else if (node.kind === 'choice') this.#addChoice(node.items);
    else if (node.kind === 'repeat') this.#addRepeat(node);
    else {
      const wanted = node.isWanted ? 1 : 0;
      if (!node.isAhead) this.#emit(OPS.behind, this.#set(oneLetter(node.item)), wanted);
      else this.#emit(OPS.look, this.#looks.push(new ProgramBuilder().build(node.item)) - 1, wanted);
    }
  }

  #addChoice(items: readonly Node[]): void {
    const exits: number[] = [];
    for (const [i, item] of items.entries()) {
      if (i === items.length - 1) this.#add(item);
      else {
        const at = this.#fork();
        this.#add(item);
        exits.push(this.#emit(OPS.jump, 0, 0));
        this.#aim(at, at + FORK_SIZE, this.#ops.length);
      }
    }
    for (const exit of exits) this.#ops[exit + 1] = this.#ops.length;
  }

  #addRepeat({ item, least, most, isLazy }: Extract<Node, { kind: 'repeat' }>): void {
    for (let i = 0; i < least; i++) this.#add(item);
    const forks: number[] = [];
    const isOpen = most === Number.POSITIVE_INFINITY;
    for (let i = least; isOpen ? forks.length === 0 : i < most; i++) {
      forks.push(this.#fork());
      this.#add(item);
    }
    if (isOpen) this.#emit(OPS.jump, forks[0] ?? 0, 0);
    const end = this.#ops.length;
    for (const at of forks) {
      if (isLazy) this.#aim(at, end, at + FORK_SIZE);
      else this.#aim(at, at + FORK_SIZE, end);
    }
  }

  #set(source: string): number {
    const known = this.#sets.get(source) ?? this.#sets.size;
    this.#sets.set(source, known);
    return known;
  }

  #fork(): number {
    return this.#emit(OPS.fork, 0, 0, this.#forks++);
  }

  /** Where a fork goes first, and where it goes if that fails. */
  #aim(at: number, first: number, second: number): void {
    this.#ops[at + 1] = first;
    this.#ops[at + 2] = second;
  }

  #emit(...instruction: number[]): number {
    if (this.#ops.length > MOST_INSTRUCTIONS * FORK_SIZE) throw unsupported('a pattern of that many parts');
    return this.#ops.push(...instruction) - instruction.length;
  }
}

/** What is in a look behind, as a pattern of one letter. */
function oneLetter(node: Node): string {
  if (node.kind === 'set') return node.source;
  if (node.kind === 'sequence' && node.items.length === 1 && node.items[0]) return oneLetter(node.items[0]);
  if (node.kind === 'choice') return `(?:${node.items.map(oneLetter).join('|')})`;
  throw unsupported('a look behind of more than one letter');
}

function unsupported(what: string): AtomoeError {
  return new AtomoeError(
    'unsupported-model',
    `tokenizer.json: its regular expression holds ${JSON.stringify(what)}; wanted one without back references, of at most ` +
      `${MOST_INSTRUCTIONS} parts; choose another model`,
  );
}
