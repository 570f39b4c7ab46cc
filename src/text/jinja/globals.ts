/** The functions that every template has. */
import { bind } from './arguments.ts';
import { JinjaError, RaisedError } from './errors.ts';
import { toCount } from './numbers.ts';
import { str } from './text.ts';
import {
  Callable,
  Dict,
  iterate,
  Namespace,
  Range,
  Thing,
  Tuple,
  isList,
  type Arguments,
  type Keywords,
  type Value,
} from './values.ts';

/** Jinja2's sandbox has the same limit. */
const LONGEST_RANGE = 100_000;

/**
 * The global functions: range, dict, namespace, joiner, cycler, and those of transformers (raise_exception,
 * strftime_now).
 */
export function makeGlobals(strftime: (format: string) => string): ReadonlyMap<string, Value> {
  const functions: Record<string, Callable['call']> = {
    range: (args) => makeRange(args),
    dict: (args, keywords) => makeDict(args, keywords),
    namespace: (args, keywords) => {
      const namespace = new Namespace();
      for (const [key, value] of makeDict(args, keywords).pairs()) namespace.values.set(str(key), value);
      return namespace;
    },
    cycler: (args) => new Cycler(args),
    joiner: (args, keywords) => {
      const [between = ', '] = bind('joiner', [['sep', ', ']], args, keywords);
      let isUsed = false;
      return new Callable('joiner', () => {
        const text = isUsed ? between : '';
        isUsed = true;
        return text;
      });
    },
    raise_exception: (args, keywords) => {
      const [message = ''] = bind('raise_exception', [['message', undefined]], args, keywords);
      throw new RaisedError(str(message));
    },
    strftime_now: (args, keywords) => {
      const [format = ''] = bind('strftime_now', [['format', undefined]], args, keywords);
      return strftime(str(format));
    },
  };
  return new Map(Object.entries(functions).map(([name, call]) => [name, new Callable(name, call)]));
}

function makeRange(args: Arguments): Range {
  const [first = 0, second, step = 1] = args.map(toCount);
  if (args.length < 1 || args.length > 3)
    throw new JinjaError(`range expected 1 to 3 arguments, got ${args.length}`);
  if (step === 0) throw new JinjaError('range() arg 3 must not be zero');
  const range = second === undefined ? new Range(0, first, 1) : new Range(first, second, step);
  if (range.length <= LONGEST_RANGE) return range;
  throw new JinjaError(`Range too big. The sandbox blocks ranges larger than MAX_RANGE (${LONGEST_RANGE}).`);
}

function makeDict(args: Arguments, keywords: Keywords): Dict {
  const [given] = args;
  const pairs =
    given === undefined ? [] : given instanceof Dict ? given.pairs() : [...iterate(given)].map(pairOf);
  return Dict.of([...pairs, ...keywords]);
}

function pairOf(value: Value): readonly [Value, Value] {
  const items = value instanceof Tuple ? value.items : isList(value) ? value : [];
  const [key, item] = items;
  if (items.length === 2 && key !== undefined && item !== undefined) return [key, item];
  throw new JinjaError('a dictionary is made of pairs');
}

class Cycler extends Thing {
  readonly type = 'Cycler';
  readonly #items: Arguments;
  #at = 0;

  constructor(items: Arguments) {
    super();
    if (items.length === 0) throw new JinjaError('at least one item has to be provided');
    this.#items = items;
  }

  attribute(name: string): Value | undefined {
    if (name === 'current') return this.#items[this.#at] ?? null;
    if (name === 'reset') {
      return new Callable(name, () => {
        this.#at = 0;
        return null;
      });
    }
    if (name !== 'next') return undefined;
    return new Callable(name, () => {
      const item = this.#items[this.#at] ?? null;
      this.#at = (this.#at + 1) % this.#items.length;
      return item;
    });
  }
}
