/** Built-in families as families from outside. */
import { expect, test } from 'vitest';
import { builtInFamily, parseModel } from './registry.ts';

/** Nothing else is given: the class of transformers assumes the rest. */
const config = { model_type: 'olmoe', num_hidden_layers: 1 };

test('a built-in family from outside parses what it parses otherwise', async () => {
  const family = await builtInFamily('olmoe');
  const { spec } = await parseModel(config, 'm', [family]);
  expect(spec).toEqual((await parseModel(config, 'm')).spec);
  expect(spec.hidden).toBe(2048);
});

test('it refuses the options that it does not read', async () => {
  const family = await builtInFamily('olmoe');
  const scaled = { ...config, logits_scaling: 2 };
  await expect(parseModel(scaled, 'm', [family])).rejects.toMatchObject({
    code: 'unsupported-model',
    message: expect.stringMatching(
      /^m config\.json: logits_scaling is 2; this family runs with logits_scaling 1;/,
    ),
  });
});

test('a family that does not exist is named', async () => {
  await expect(builtInFamily('gpt17')).rejects.toMatchObject({
    code: 'unsupported-model',
    message: expect.stringMatching(/^gpt17: model_type "gpt17" is not a supported family \(omnimoe, /),
  });
});
