import { expect, test } from 'vitest';
import { memoryFolder } from '../../io/memory.ts';
import { fableFiles } from '../../text/text.test-support.ts';
import { readTokenizer } from './model-info.ts';
import type { Drafted } from './planning.ts';

const { tokenizerJson } = fableFiles();
const drafted = { checkpoint: { config: {}, generationConfig: undefined }, spec: { vocab: 4096 } } as Drafted;
const read = (files: Record<string, string>) => {
  const whole = { 'tokenizer.json': JSON.stringify(tokenizerJson), ...files };
  return readTokenizer(memoryFolder(whole, 'model'), drafted, undefined);
};
const page = '\n<!DOCTYPE html><html><body>Not found</body></html>';

test('a host that answers every request with its page has no optional files', async () => {
  const tokenizer = await read({ 'chat_template.jinja': page, 'special_tokens_map.json': page });
  expect(tokenizer?.chatTemplate).toBeUndefined();
  expect(tokenizer?.specialTokens).toEqual({});
});

test('special_tokens_map.json counts where tokenizer_config.json does not list the added tokens', async () => {
  const map = { 'special_tokens_map.json': JSON.stringify({ eos_token: '<|endoftext|>' }) };
  expect([...((await read(map))?.eosIds ?? [])]).toEqual([0]);
  const config = { 'tokenizer_config.json': JSON.stringify({ added_tokens_decoder: {} }) };
  expect((await read({ ...map, ...config }))?.eosIds.size).toBe(0);
});

test('a file of its own holds the template, marks of its editor apart', async () => {
  const tokenizer = await read({ 'chat_template.jinja': '\ufeff{{ messages[0].content }}' });
  expect(tokenizer?.chatTemplate).toBe('{{ messages[0].content }}');
});

test('a tokenizer of another model is refused', async () => {
  const other = { ...drafted, spec: { vocab: 4095 } } as Drafted;
  const folder = memoryFolder({ 'tokenizer.json': JSON.stringify(tokenizerJson) }, 'model');
  await expect(readTokenizer(folder, other, undefined)).rejects.toMatchObject({
    code: 'bad-file',
    message: expect.stringMatching(/does not fit the model: .* has id 4095, the model has ids below 4095/),
  });
});
