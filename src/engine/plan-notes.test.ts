/** What a plan reports about a model's files before anything large is read. */
import { expect, test } from 'vitest';
import { nodeFolder } from '../io/node-file.ts';
import { editedModel, type Edits } from './edited-model.testing.ts';
import { LocalEngine } from './engine.ts';

async function notesOf(edits: Edits) {
  const folder = await editedModel(await nodeFolder('fixtures/models/mixtral'), edits);
  const engine = await LocalEngine.open({ device: 'cpu' });
  try {
    return (await engine.plan(folder)).notes;
  } finally {
    engine.dispose();
  }
}

const generation = (config: object): Edits => ({
  files: { 'generation_config.json': JSON.stringify(config) },
});

test('keys of generation_config.json that are not applied are named', async () => {
  const config = {
    num_beams: 4,
    suppress_tokens: [3],
    bad_words_ids: [[1]],
    top_p: 0.9,
    stop_strings: ['.'],
    num_return_sequences: 2,
  };
  expect(await notesOf(generation(config))).toEqual([
    {
      kind: 'generation-config',
      message: expect.stringMatching(
        /sets num_beams, num_return_sequences, bad_words_ids, suppress_tokens, which Atomoe does not apply/,
      ),
    },
  ]);
});

test('values that ask for nothing are no news', async () => {
  const config = {
    num_beams: 1,
    typical_p: 1,
    suppress_tokens: [],
    bad_words_ids: null,
    no_repeat_ngram_size: 0,
    num_return_sequences: 1,
    diversity_penalty: 0,
    remove_invalid_values: false,
  };
  expect(await notesOf(generation(config))).toEqual([]);
});

test('a max_length that ends replies before the context does', async () => {
  const [note] = await notesOf(generation({ max_length: 20 }));
  expect(note?.message).toMatch(/sets max_length, which Atomoe does not apply/);
  expect(await notesOf(generation({ max_length: 1e6 }))).toEqual([]);
  expect(await notesOf(generation({ max_length: 20, max_new_tokens: 8 }))).toEqual([]);
});

test('an end of reply that the vocabulary does not have', async () => {
  const config = { eos_token_id: 5000 };
  expect(await notesOf({ config, ...generation({}) })).toEqual([
    {
      kind: 'no-end',
      message: expect.stringMatching(/name 5000 as the end of a reply, and the vocabulary has 96/),
    },
  ]);
  const none = { config: { eos_token_id: null }, ...generation({ eos_token_id: ['\u009b31m', -1, 2.5] }) };
  expect((await notesOf(none))[0]?.message).toMatch(/name "\\u009b31m", -1, 2.5 as the end/);
  expect(await notesOf({ config: { eos_token_id: [5000, 2] }, ...generation({}) })).toEqual([]);
  expect(await notesOf({ config, ...generation({ eos_token_id: 2 }) })).toEqual([]);
});
