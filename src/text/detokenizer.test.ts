import { Tokenizer as Library } from '@huggingface/tokenizers';
import { describe, expect, test } from 'vitest';
import { StreamingDetokenizer } from './detokenizer.ts';
import { fableFiles, spmDecoder, spmFiles } from './text.test-support.ts';
import { openTokenizer } from './tokenizer.ts';
import type { TokenizerFiles } from './tokenizer.ts';

/** The same numbers on every run. */
function seededInts(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' };
const stripBoth = {
  type: 'Sequence',
  decoders: [
    { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
    { type: 'Strip', content: ' ', start: 2, stop: 2 },
  ],
};
const stripEach = {
  type: 'Sequence',
  decoders: [{ type: 'Strip', content: 'x', start: 1, stop: 1 }, { type: 'ByteFallback' }],
};

/** The last says whether bytes may be left half. */
const kinds: [string, TokenizerFiles, boolean][] = [
  ['byte-level', fableFiles(), true],
  ['byte fallback', spmFiles(spmDecoder), true],
  ['metaspace', spmFiles(metaspace), false],
  ['strip at both ends', spmFiles(stripBoth), true],
  ['strip each', spmFiles(stripEach), true],
  ['no decoder', spmFiles(null), false],
];

/** The library's byte fallback drops U+FEFF where a run of bytes begins with it; tokenizers does not. */
function keepByteOrderMarks(decoder: unknown): void {
  const part = decoder as { text_decoder?: TextDecoder; decoders?: unknown[] } | null;
  if (part?.text_decoder) part.text_decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  part?.decoders?.forEach(keepByteOrderMarks);
}

describe.each(kinds)('%s', (_kind, files, hasBytes) => {
  const library = new Library(files.tokenizerJson, files.tokenizerConfig!);
  keepByteOrderMarks(library.decoder);
  const whole = (ids: number[], skip: boolean) => {
    const options = { skip_special_tokens: skip, clean_up_tokenization_spaces: false };
    return ids.length === 0 ? '' : library.decode(ids, options);
  };

  test('deltas and the last flush are the whole text, and none splits a character', async () => {
    const tokenizer = await openTokenizer(files);
    const pick = seededInts(3);
    const pieces = ['🦊', '森', 'ü', ' the fox', '👩‍👩‍👧', '!', '  ', '\ufeff', '\ufffd'].map((text) =>
      tokenizer.encode(text, { addSpecialTokens: false }),
    );
    let halves = 0;
    for (let round = 0; round < 150; round++) {
      const ids: number[] = [];
      for (let i = 0; i < 12; i++) {
        if (pick(2) === 0) ids.push(pick(tokenizer.vocabSize));
        else {
          // Often a character is left half, or its bytes are split by something else.
          const piece = pieces[pick(pieces.length)]!;
          ids.push(...piece.slice(0, 1 + pick(piece.length)));
        }
      }
      for (const skipSpecialTokens of [true, false]) {
        const stream = tokenizer.stream({ skipSpecialTokens });
        const deltas = [...ids.map((id) => stream.push(id)), stream.flush()];
        expect(deltas.every((delta) => delta.isWellFormed())).toBe(true);
        const wanted = whole(ids, skipSpecialTokens);
        expect(deltas.join('')).toBe(wanted);
        expect(tokenizer.decode(ids, { skipSpecialTokens })).toBe(wanted);
        if (wanted.includes('\ufffd')) halves += 1;
      }
    }
    expect(halves > 20).toBe(hasBytes);
  });
});

test('an emoji comes in one piece, when its last byte does', async () => {
  for (const files of [fableFiles(), spmFiles()]) {
    const tokenizer = await openTokenizer(files);
    const ids = tokenizer
      .encode('🦊', { addSpecialTokens: false })
      .filter((id) => tokenizer.rawToken(id) !== '▁');
    expect(ids.length).toBeGreaterThan(1);
    const stream = tokenizer.stream();
    const deltas = ids.map((id) => stream.push(id));
    expect(deltas).toEqual([...ids.slice(1).map(() => ''), '🦊']);
    expect(stream.flush()).toBe('');
  }
});

test('half a character at the end is one U+FFFD, at the flush', async () => {
  const tokenizer = await openTokenizer(spmFiles());
  const stream = tokenizer.stream();
  expect(stream.push(tokenizer.tokenId('<0xE6>')!)).toBe('');
  expect(stream.push(tokenizer.tokenId('<0xA3>')!)).toBe('');
  expect(stream.flush()).toBe('\ufffd');
});

test('a token costs the same however long the reply is', async () => {
  const tokenizer = await openTokenizer(fableFiles());
  let looked = 0;
  const counting = { ...tokenizer, rawToken: (id: number) => (looked++, tokenizer.rawToken(id)) };
  const stream = new StreamingDetokenizer(counting);
  for (let i = 0; i < 5000; i++) stream.push(1346);
  expect(looked).toBe(5000); // one look at one token per push: nothing is decoded twice
});
