/** Whatever stands under a key of a config: a typed error, or a model that the file bears out, at once and in little memory. */
import { expect, test } from 'vitest';
import { AtomoeError } from '../errors.ts';
import { readJson } from '../io/json-file.ts';
import { nodeFolder } from '../io/node-file.ts';
import type { FolderSource } from '../io/source.ts';
import { memoryFile } from '../io/memory.ts';
import { draftModel } from './load/planning.ts';
import { PLAIN_FAMILIES } from './plain-families.testing.ts';
import { plainFolder } from './plain-files.testing.ts';

const VALUES: readonly unknown[] = [1e9, 1e300, 0, -1, 1.5, '3', true, [1e9], {}];

/** Keys that are never read. */
const IGNORED =
  /^(architectures|transformers_version|attention_dropout|dtype|torch_dtype|initializer_range|router_.*(coef|noise|logits)|output_router_logits|pad_token_id|use_cache)$/;

/** Long before anybody waits, and long after what a busy machine takes. */
const MOST_MS = 2000;

/** The folder with another config.json. */
function withConfig(folder: FolderSource, config: object): FolderSource {
  const bytes = new TextEncoder().encode(JSON.stringify(config));
  const open: FolderSource['open'] = async (name, options) =>
    name === 'config.json' ? memoryFile(name, bytes) : folder.open(name, options);
  return { ...folder, open };
}

async function draft(folder: FolderSource): Promise<string> {
  try {
    const drafted = await draftModel(folder, {});
    drafted.checkpoint.dispose();
    return 'drafted';
  } catch (error) {
    if (error instanceof AtomoeError) return error.code;
    throw error;
  }
}

test.each([
  'fixtures/models/mixtral',
  'fixtures/models/qwen2_moe',
  'fixtures/models/gpt_oss',
  'fixtures/models/lfm2_moe',
  'fixtures/models/granitemoehybrid',
  'fixtures/models/qwen3_next',
  'fixtures/models/phimoe',
  'fixtures/models/gemma4_text',
  'fixtures/models/llama4_text',
  'fixtures/models/deepseek_v3',
  'fixtures/models/ernie4_5_moe',
  'fixtures/models/hunyuan_v1_moe',
  'fixtures/models/exaone_moe',
  'demo/public/models/fable-omni-8m',
  ...Object.keys(PLAIN_FAMILIES),
])('%s with any of its keys made up', async (path) => {
  const made = PLAIN_FAMILIES[path];
  const folder = made ? plainFolder(made) : await nodeFolder(path);
  const config = (await readJson(folder, 'config.json')) ?? {};
  expect(await draft(folder)).toBe('drafted');
  const outcomes = new Map<string, string[]>();
  for (const key of Object.keys(config)) {
    if (IGNORED.test(key)) continue;
    for (const value of VALUES) {
      const started = performance.now();
      const outcome = await draft(withConfig(folder, { ...config, [key]: value }));
      expect(performance.now() - started, `${key}: ${JSON.stringify(value)}`).toBeLessThan(MOST_MS);
      outcomes.set(key, [...(outcomes.get(key) ?? []), outcome]);
    }
  }
  // No count that the file does not bear out passes.
  const counts = [
    'num_hidden_layers',
    'num_attention_heads',
    'num_key_value_heads',
    'hidden_size',
    'vocab_size',
  ];
  for (const key of [...counts, 'intermediate_size']) {
    if (/qwen2_moe|qwen3_next|mellum/.test(path) && key === 'intermediate_size') continue; // it has no dense layer
    expect(outcomes.get(key), key).not.toContain('drafted');
  }
});

test('a config of its keys alone is no model', async () => {
  const folder = await nodeFolder('fixtures/models/mixtral');
  for (const config of [
    {},
    { model_type: 'mixtral' },
    { model_type: 5 },
    JSON.parse('{"__proto__": {"model_type": "mixtral"}}'),
  ]) {
    expect(await draft(withConfig(folder, config as object))).toBe('bad-file');
  }
});
