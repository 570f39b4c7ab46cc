/** Models that also read images or sound: their text model runs as the same text model alone. */
import { expect, test } from 'vitest';
import { remadeModel } from './remade-model.testing.ts';
import { firstDifference, openEngine, readGolden, repositoryFolder, type FixtureGolden } from './testing.ts';

const transformers5 = (name: string) => name.replace(/^model\./, 'model.language_model.');
const transformers4 = (name: string) => `language_model.${name}`;

test.each([
  ['qwen3_5_moe_text', 'qwen3_5_moe', transformers5],
  ['gemma4_text', 'gemma4', transformers5],
  ['llama4_text', 'llama4', transformers4],
] as const)('%s in a model of type %s', async (family, type, rename) => {
  const folder = await repositoryFolder(`fixtures/models/${family}`);
  const { ids } = await readGolden<FixtureGolden>(folder);
  const whole = await remadeModel(folder, {
    rename,
    more: { 'model.visual.patch_embed.weight': [4, 4], 'vision_model.layers.0.weight': [2, 4] },
    wrap: ({ tie_word_embeddings: tie, ...text }) => ({
      ...{ model_type: type, architectures: ['ForConditionalGeneration'], tie_word_embeddings: tie },
      ...{ text_config: text, vision_config: { model_type: `${type}_vision`, hidden_size: 4 } },
    }),
  });
  const engine = await openEngine({ device: 'cpu' });
  await engine.load(folder);
  const wanted = await engine.logits(ids, 'at-once');
  const { family: found } = await engine.plan(whole);
  await engine.load(whole);
  expect(found).toBe(family.replace('qwen3_5_moe_text', 'qwen3_5_moe'));
  expect(firstDifference(await engine.logits(ids, 'at-once'), wanted)).toBe('equal');
  engine.dispose();
});

test('a model without a family for its text says which families there are', async () => {
  const folder = await remadeModel(await repositoryFolder('fixtures/models/olmoe'), {
    wrap: (text) => ({ model_type: 'paintings', text_config: { ...text, model_type: 'poems' } }),
  });
  const engine = await openEngine({ device: 'cpu' });
  await expect(engine.load(folder)).rejects.toMatchObject({
    code: 'unsupported-model',
    message: expect.stringContaining('model_type "paintings"'),
  });
  engine.dispose();
});
