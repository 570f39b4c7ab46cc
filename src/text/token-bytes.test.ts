import { expect, test } from 'vitest';
import { tokenBytes, type ByteTable } from './token-bytes.ts';

/** A vocabulary of one token. */
function table(raw: string | undefined, decoder: ByteTable['decoder'], isAdded = false): ByteTable {
  const tokenText = () => (raw ?? '').replaceAll('\u2581', ' ');
  return { rawToken: () => raw, isSpecial: () => false, isAdded: () => isAdded, decoder, tokenText };
}

const byteLevel = { type: 'ByteLevel' };
const fallback = { type: 'Sequence', decoders: [{ type: 'Replace' }, { type: 'ByteFallback' }] };

test.each<[what: string, of: ByteTable, bytes: readonly number[] | null]>([
  ['a word with its space', table('\u0120sea', byteLevel), [32, 115, 101, 97]],
  ['the first byte of a character', table('\u00e2', byteLevel), [0xe2]],
  [
    'an added token as it is written',
    table('\u0120<eot>', byteLevel, true),
    [0xc4, 0xa0, 60, 101, 111, 116, 62],
  ],
  ['letters outside of the alphabet of bytes', table('\u65e5', byteLevel), [0xe6, 0x97, 0xa5]],
  ['a byte by its number', table('<0xE2>', fallback), [0xe2]],
  ['a number that is text', table('<0xE2>', byteLevel), [60, 48, 120, 69, 50, 62]],
  ['a word of another alphabet', table('\u2581sea', fallback), [32, 115, 101, 97]],
  ['a word without a decoder', table('sea', null), [115, 101, 97]],
  ['no token', table(undefined, byteLevel), null],
])('%s', (_, of, bytes) => {
  expect(tokenBytes(of, 0)).toEqual(bytes);
});
