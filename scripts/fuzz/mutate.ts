/** Ways to damage a JSON document, a text or bytes. Each returns something new; what it was given stays as it is. */
import type { Chooser } from './random.ts';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const DEEP = 5000; // nested brackets
const LONG = 100_000; // characters

/** Values that readers forget. */
const HOSTILE: readonly Json[] = [
  null,
  true,
  false,
  0,
  -1,
  1,
  0.5,
  1e9,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  1e308,
  -1e308,
  '',
  'x'.repeat(LONG),
  '\u001b]0;title\u0007',
  '%',
  '%zz%',
  '../../etc/passwd',
  '__proto__',
  'constructor',
  'toString',
  '\ud800',
  '{{ messages }}',
  '(a+)+$',
  [],
  [null],
  {},
  { constructor: null },
  [[[[[[]]]]]],
  Array.from({ length: 1000 }, (_, index) => index),
];

const KEYS = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length', '', '%', '\u001b[2J'];

type Place = { readonly parent: Json[] | { [key: string]: Json }; readonly key: string };

/** Every value inside a document. */
function places(root: Json): Place[] {
  const found: Place[] = [];
  const visit = (value: Json) => {
    if (typeof value !== 'object' || value === null) return;
    for (const key of Object.keys(value)) {
      found.push({ parent: value, key });
      visit(get({ parent: value, key }));
    }
  };
  visit(root);
  return found;
}

function get({ parent, key }: Place): Json {
  return Array.isArray(parent) ? (parent[Number(key)] ?? null) : (parent[key] ?? null);
}

function set({ parent, key }: Place, value: Json): void {
  Object.defineProperty(parent, key, { value, enumerable: true, writable: true, configurable: true });
}

function remove({ parent, key }: Place): void {
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
}

/** One to three values replaced, removed, renamed or exchanged. */
export function mutateJson(document: Json, chooser: Chooser): Json {
  const copy = structuredClone(document);
  for (let times = 1 + chooser.below(3); times > 0; times -= 1) {
    const all = places(copy);
    if (all.length === 0) return chooser.of(HOSTILE);
    const place = chooser.of(all);
    switch (chooser.below(5)) {
      case 0:
      case 1:
        set(place, structuredClone(chooser.of(HOSTILE)));
        break;
      case 2:
        remove(place);
        break;
      case 3:
        set({ parent: place.parent, key: Array.isArray(place.parent) ? '0' : chooser.of(KEYS) }, get(place));
        break;
      default: {
        const other = chooser.of(all);
        const value = structuredClone(get(place));
        set(place, structuredClone(get(other)));
        set(other, value);
      }
    }
  }
  return copy;
}

/** A text cut, doubled, nested, or with characters that do not belong there. */
export function mutateText(text: string, chooser: Chooser): string {
  const at = chooser.below(text.length + 1);
  switch (chooser.below(8)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return `\ufeff${text}`;
    case 2:
      return text.slice(0, at) + '['.repeat(DEEP) + text.slice(at);
    case 3:
      return (
        text.slice(0, at) +
        chooser.of(['\u0000', '\u001b[2J', '%', '"', '\\', '{{', '{%', '}', '\u202e']) +
        text.slice(at)
      );
    case 4:
      return text.slice(0, at) + text.slice(at + 1 + chooser.below(20));
    case 5:
      return '<!doctype html><title>404</title>';
    case 6:
      return text.replaceAll(/\d+/g, (digits) =>
        chooser.below(4) === 0 ? String(chooser.of([NaN, Infinity, -1, 1e99])) : digits,
      );
    default:
      return text + text.slice(at);
  }
}

/** Bytes cut, flipped, or put in. */
export function mutateBytes(bytes: Uint8Array, chooser: Chooser): Uint8Array {
  const at = chooser.below(bytes.byteLength);
  switch (chooser.below(4)) {
    case 0:
      return bytes.slice(0, at);
    case 1: {
      const copy = bytes.slice();
      for (let times = 1 + chooser.below(8); times > 0; times -= 1)
        copy[chooser.below(Math.min(copy.byteLength, 4096))] = chooser.below(256);
      return copy;
    }
    case 2: {
      const copy = new Uint8Array(bytes.byteLength + 8);
      copy.set(bytes.subarray(0, at));
      copy.set(bytes.subarray(at), at + 8);
      return copy;
    }
    default: {
      const copy = bytes.slice();
      new DataView(copy.buffer).setBigUint64(0, chooser.of([0n, 1n, 2n ** 32n, 2n ** 53n, 2n ** 63n]), true);
      return copy;
    }
  }
}
