import { expect, test } from 'vitest';
import { generationDefaults } from './generation-defaults.ts';
import { checkOptions } from '../options.ts';

const checked = (config: Record<string, unknown> | undefined, options = {}) =>
  checkOptions(options, () => 1, generationDefaults(config));

test('a model says how it wants to be drawn from; options win', () => {
  const config = {
    do_sample: true,
    temperature: 0.6,
    top_k: 20,
    top_p: 0.9,
    min_p: 0.1,
    repetition_penalty: 1.05,
    max_new_tokens: 33,
  };
  const own = { temperature: 0.6, topK: 20, topP: 0.9, minP: 0.1, repetitionPenalty: 1.05, maxTokens: 33 };
  expect(checked(config)).toMatchObject(own);
  expect(checked(config, { temperature: 0, topK: 0 })).toMatchObject({ ...own, temperature: 0, topK: 0 });
  expect(checked(config, { topP: undefined })).toMatchObject(own);
});

test('what it does not say keeps our defaults', () => {
  const ours = checkOptions({}, () => 1);
  expect(checked(undefined)).toEqual(ours);
  expect(checked({ eos_token_id: [1, 2], temperature: null, do_sample: null })).toEqual(ours);
});

test('do_sample: false takes the likeliest token, until a temperature is asked for', () => {
  expect(checked({ do_sample: false, temperature: 0.7 }).temperature).toBe(0);
  expect(checked({ do_sample: false }, { temperature: 0.7 }).temperature).toBe(0.7);
});

test('stop_strings end a reply, until other texts are asked for', () => {
  expect(checked({ stop_strings: ['\n', 'User:'] }).stop).toEqual(['\n', 'User:']);
  expect(checked({ stop_strings: 'User:' }).stop).toEqual(['User:']);
  expect(checked({ stop_strings: ['a'] }, { stop: ['b'] }).stop).toEqual(['b']);
  expect(checked({ stop_strings: ['a'] }, { stop: [] }).stop).toEqual([]);
  expect(checked({ stop_strings: null }).stop).toEqual([]);
});

test('other ways to say none', () => {
  expect(checked({ top_k: -1 }).topK).toBe(0);
  expect(checked({ max_new_tokens: 1e9 }).maxTokens).toBe(1_000_000);
});

test.each<[Record<string, unknown>]>([
  [{ temperature: 'hot' }],
  [{ temperature: -1 }],
  [{ top_k: 1.5 }],
  [{ top_p: 2 }],
  [{ min_p: Number.NaN }],
  [{ repetition_penalty: 0 }],
  [{ max_new_tokens: 0 }],
  [{ do_sample: 'no' }],
  [{ stop_strings: [5] }],
  [{ stop_strings: '' }],
])('no reply could use %j', (config) => {
  const key = Object.keys(config).join('');
  expect(() => generationDefaults(config)).toThrow(
    expect.objectContaining({
      code: 'bad-file',
      message: expect.stringContaining(`generation_config.json: ${key} is`),
    }),
  );
});
