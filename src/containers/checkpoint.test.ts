import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AtomoeError } from '../errors.ts';
import { cachedFolder } from '../io/cache/disk-cache.ts';
import { memoryFile, memoryFolder } from '../io/memory.ts';
import { nodeFolder } from '../io/node-file.ts';
import { openNodeStorage } from '../io/node-storage.ts';
import type { FolderSource } from '../io/source.ts';
import { openCheckpoint } from './index.ts';
import { openSafetensors } from './safetensors/open.ts';
import { f32Safetensors, safetensorsBytes } from './safetensors.testing.ts';

const config = '{"model_type": "toy"}';
const weights = f32Safetensors({
  w: { shape: [3, 2], values: [0, 1, 2, 3, 4, 5] },
  scale: { shape: [], values: [7] },
});
const index = (map: object) => JSON.stringify({ metadata: { total_size: 1 }, weight_map: map });

async function failure(promise: Promise<unknown>): Promise<AtomoeError> {
  const error: unknown = await promise.then(
    () => expect.fail('was accepted'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AtomoeError);
  return error as AtomoeError;
}

/** A folder that counts the bytes read of each file and the files left open. */
function watched(folder: FolderSource) {
  const readBytes = new Map<string, number>();
  const openFiles = new Set<string>();
  const watching: FolderSource = {
    ...folder,
    async open(name, options) {
      const file = await folder.open(name, options);
      if (!file) return undefined;
      openFiles.add(name);
      return {
        ...file,
        read(offsetBytes, sizeBytes, readOptions) {
          readBytes.set(name, (readBytes.get(name) ?? 0) + sizeBytes);
          return file.read(offsetBytes, sizeBytes, readOptions);
        },
        dispose: () => openFiles.delete(name),
      };
    },
  };
  return { folder: watching, readBytes, openFiles };
}

describe('a folder with one file', () => {
  test('opens by reading headers only, and reads rows', async () => {
    const { folder, readBytes, openFiles } = watched(
      memoryFolder({ 'config.json': config, 'model.safetensors': weights }, 'toy'),
    );
    const checkpoint = await openCheckpoint(folder);
    expect(readBytes.get('model.safetensors')).toBe(weights.length - 28); // all but the 7 floats
    expect(checkpoint.config).toEqual({ model_type: 'toy' });
    expect(checkpoint.generationConfig).toBeUndefined();
    expect([...checkpoint.names()]).toEqual(['w', 'scale']);
    expect(checkpoint.totalBytes).toBe(weights.length);
    expect(checkpoint.tensor('w')).toMatchObject({
      name: 'w',
      file: 'model.safetensors',
      dtype: 'F32',
      shape: [3, 2],
    });
    expect(checkpoint.tensor('v')).toBeUndefined();

    const rows = await checkpoint.read('w', { rowStart: 1, rowCount: 1 });
    expect(rows.shape).toEqual([1, 2]);
    expect([...new Float32Array(rows.bytes.buffer)]).toEqual([2, 3]);
    expect([...(await checkpoint.readF32('w', { rowStart: 2 }))]).toEqual([4, 5]);
    expect([...(await checkpoint.readF32('scale'))]).toEqual([7]);
    expect([...openFiles]).toEqual(['model.safetensors']);
    checkpoint.dispose();
    expect(openFiles.size).toBe(0);
  });

  test('a file that was pointed at is taken, whatever its name', async () => {
    const folder = {
      ...memoryFolder({ 'config.json': config, 'x.safetensors': weights }),
      entry: 'x.safetensors',
    };
    expect((await openCheckpoint(folder)).files).toEqual([
      { name: 'x.safetensors', sizeBytes: weights.length },
    ]);
  });

  test('an abort rejects with its reason', async () => {
    const folder = memoryFolder({ 'config.json': config, 'model.safetensors': weights });
    const reason = new Error('enough');
    await expect(openCheckpoint(folder, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const checkpoint = await openCheckpoint(folder);
    await expect(checkpoint.read('w', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

test('shards: each tensor comes from the file that the index names', async () => {
  const first = f32Safetensors({ a: { shape: [1], values: [1] }, b: { shape: [1], values: [-1] } });
  const second = f32Safetensors({ b: { shape: [1], values: [2] } });
  const { folder, openFiles } = watched(
    memoryFolder({
      'config.json': config,
      'generation_config.json': '{"eos_token_id": 3}',
      'model.safetensors.index.json': index({ a: 'one.safetensors', b: 'two.safetensors' }),
      'one.safetensors': first,
      'two.safetensors': second,
    }),
  );
  const checkpoint = await openCheckpoint(folder);
  expect([...(await checkpoint.readF32('a'))]).toEqual([1]);
  expect([...(await checkpoint.readF32('b'))]).toEqual([2]);
  expect(checkpoint.totalBytes).toBe(first.length + second.length);
  expect(checkpoint.generationConfig).toEqual({ eos_token_id: 3 });
  checkpoint.dispose();
  expect(openFiles.size).toBe(0);
});

test('an index may name more than the shards hold, and less', async () => {
  const checkpoint = await openCheckpoint(
    memoryFolder({
      'config.json': config,
      'model.safetensors.index.json': index({
        w: 'x.safetensors',
        v: 'x.safetensors',
        u: 'gone.safetensors',
        constructor: 'gone.safetensors',
      }),
      'x.safetensors': weights,
    }),
  );
  expect([...checkpoint.names()]).toEqual(['w', 'scale']);
  expect([...checkpoint.lost]).toEqual([
    ['v', { file: 'x.safetensors', isFileMissing: false }],
    ['u', { file: 'gone.safetensors', isFileMissing: true }],
    ['constructor', { file: 'gone.safetensors', isFileMissing: true }],
  ]);
  const messages = await Promise.all(
    ['v', 'u', 'toString'].map(async (name) => (await failure(checkpoint.read(name))).message),
  );
  expect(messages[0]).toMatch(/puts tensor "v" into x.safetensors, which does not hold it/);
  expect(messages[1]).toMatch(/puts tensor "u" into gone.safetensors, which is missing/);
  expect(messages[2]).toMatch(/tensor "toString" is missing among the 2 of the file/);
});

test('an index that puts a tensor where it is not is not helped out by another shard', async () => {
  const checkpoint = await openCheckpoint(
    memoryFolder({
      'config.json': config,
      'model.safetensors.index.json': index({ w: 'gone.safetensors', scale: 'x.safetensors' }),
      'x.safetensors': weights,
    }),
  );
  expect([...checkpoint.names()]).toEqual(['scale']);
  const { message } = await failure(checkpoint.read('w'));
  expect(message).toMatch(/puts tensor "w" into gone.safetensors, which is missing/);
});

test('numbers as Python writes them, and a byte-order mark', async () => {
  const text = '\ufeff{"a": [Infinity, -Infinity, NaN], "b": "NaN \\" Infinity"}';
  const checkpoint = await openCheckpoint(
    memoryFolder({ 'config.json': text, 'model.safetensors': weights }),
  );
  expect(checkpoint.config).toEqual({ a: [Infinity, -Infinity, Number.NaN], b: 'NaN " Infinity' });
});

test('a config that is of no use is refused before any weight file is opened', async () => {
  const { folder, readBytes } = watched(
    memoryFolder({ 'config.json': config, 'model.safetensors': weights }),
  );
  const reason = new AtomoeError('unsupported-model', 'no');
  const accept = () => {
    throw reason;
  };
  await expect(openCheckpoint(folder, { accept })).rejects.toBe(reason);
  expect([...readBytes.keys()]).toEqual(['config.json']);
});

/** What is wrong, the folder, and what the message must say. */
const badFolders: [string, Record<string, string | Uint8Array>, RegExp][] = [
  ['no config', { 'model.safetensors': weights }, /bad: config.json is missing/],
  ['config is no JSON', { 'config.json': '{', 'model.safetensors': weights }, /config.json is not JSON/],
  [
    'config is a list',
    { 'config.json': '[]', 'model.safetensors': weights },
    /config.json holds an array, an object is wanted/,
  ],
  [
    'config is binary',
    { 'config.json': Uint8Array.of(0xff), 'model.safetensors': weights },
    /config.json is not UTF-8/,
  ],
  [
    'no weights',
    { 'config.json': config },
    /model.safetensors is missing \(and so are atomoe.json, model.safetensors.index.json\); give a Hugging Face/,
  ],
  [
    'truncated weights',
    { 'config.json': config, 'model.safetensors': weights.slice(0, -4) },
    /model.safetensors: tensor "scale" .* truncated/,
  ],
  [
    'a shard is missing',
    { 'config.json': config, 'model.safetensors.index.json': index({ w: 'gone.safetensors' }) },
    /gone.safetensors is missing/,
  ],
  [
    'two shards hold a tensor, and the index means neither',
    {
      'config.json': config,
      'model.safetensors.index.json': index({ other: 'x.safetensors', another: 'y.safetensors' }),
      'x.safetensors': weights,
      'y.safetensors': weights,
    },
    /tensor "w" is in x.safetensors and in y.safetensors, and model.safetensors.index.json names neither/,
  ],
  [
    'a config that nests without end',
    { 'config.json': `${'['.repeat(100_000)}`, 'model.safetensors': weights },
    /config.json is nested deeper than 64 levels/,
  ],
  [
    'index without a map',
    { 'config.json': config, 'model.safetensors.index.json': '{}' },
    /no usable "weight_map"/,
  ],
  [
    'index with numbers',
    { 'config.json': config, 'model.safetensors.index.json': index({ w: 1 }) },
    /no usable "weight_map"/,
  ],
  [
    'index that leaves the folder',
    { 'config.json': config, 'model.safetensors.index.json': index({ w: '../secret.safetensors' }) },
    /"..\/secret.safetensors" is not a plain relative name/,
  ],
  [
    'index to another format',
    { 'config.json': config, 'model.safetensors.index.json': index({ w: 'pytorch_model.bin' }) },
    /pytorch_model.bin is no .safetensors file; choose/,
  ],
];

describe('bad folders', () => {
  test.each(badFolders)('%s', async (_case, files, message) => {
    const { folder, openFiles } = watched(memoryFolder(files, 'bad'));
    const error = await failure(openCheckpoint(folder));
    expect(error.code).toBe('bad-file');
    expect(error.message).toMatch(message);
    expect(openFiles.size).toBe(0); // nothing stays open
  });
});

test('what was damaged on its way is not kept on the disk', async () => {
  const root = await mkdtemp(join(tmpdir(), 'atomoe-checkpoint-'));
  const inner = memoryFolder({ 'config.json': config, 'model.safetensors': weights }, 'toy');
  let damage = (_name: string, _offsetBytes: number): boolean => false;
  const folder: FolderSource = {
    ...inner,
    async open(name, options) {
      const file = await inner.open(name, options);
      return (
        file && {
          ...file,
          async read(offsetBytes, sizeBytes, readOptions) {
            const bytes = await file.read(offsetBytes, sizeBytes, readOptions);
            return damage(name, offsetBytes) ? bytes.fill(0xff) : bytes; // no JSON, no length, no number
          },
        }
      );
    },
  };
  const read = async () => {
    const cached = await cachedFolder(folder, await openNodeStorage(root));
    try {
      return await (await openCheckpoint(cached)).readF32('w');
    } finally {
      await cached.dispose();
    }
  };
  const damages: [code: string, damage: (name: string, offsetBytes: number) => boolean][] = [
    ['bad-file', (name) => name === 'config.json'],
    ['bad-file', (name, offsetBytes) => name === 'model.safetensors' && offsetBytes === 0],
    ['bad-file', (name, offsetBytes) => name === 'model.safetensors' && offsetBytes === 8],
    ['non-finite', (name, offsetBytes) => name === 'model.safetensors' && offsetBytes > 8],
  ];
  for (const [code, next] of damages) {
    damage = next;
    expect((await failure(read())).code).toBe(code);
    expect((await failure(read())).code).toBe(code);
  }
  damage = () => false;
  expect([...(await read())]).toEqual([0, 1, 2, 3, 4, 5]);
  await rm(root, { recursive: true });
});

describe('bad reads', () => {
  const open = (bytes: Uint8Array) => openSafetensors(memoryFile('m.safetensors', bytes));

  test('a tensor that is not there', async () => {
    const error = await failure((await open(weights)).read('up.weight'));
    expect(error.code).toBe('bad-file');
    expect(error.message).toMatch(/m.safetensors: tensor "up.weight" is missing among the 2 of the file/);
  });

  test.each([
    { rowStart: 4 },
    { rowStart: 2, rowCount: 2 },
    { rowStart: -1 },
    { rowStart: 0.5, rowCount: 1 },
  ])('rows that are not there: %o', async (rows) => {
    const error = await failure((await open(weights)).read('w', rows));
    expect(error.code).toBe('bad-file');
    expect(error.message).toMatch(/tensor "w" has 3 rows, rows .* are wanted/);
  });

  test('NaN and infinite weights are found, with their place', async () => {
    const bytes = f32Safetensors({ w: { shape: [2, 2], values: [1, 2, 3, Number.NaN] } });
    const error = await failure((await open(bytes)).read('w', { rowStart: 1 }));
    expect(error.code).toBe('non-finite');
    expect(error.message).toMatch(
      /m.safetensors: tensor "w" F32 \[2, 2\] holds a NaN or an infinity at element 3/,
    );
    const values = await (await open(bytes)).readF32('w', { allowNonFinite: true });
    expect(values[3]).toBeNaN();
  });

  test('a type that has no f32 reading', async () => {
    const bytes = safetensorsBytes({ w: { dtype: 'F8_E4M3', shape: [4], data_offsets: [0, 4] } }, 4);
    const error = await failure((await open(bytes)).readF32('w'));
    expect(error.code).toBe('unsupported-model');
    expect(error.message).toMatch(/tensor "w" is F8_E4M3, F16, BF16 or F32 is wanted/);
  });

  test('a file that shrinks after its header was read', async () => {
    const file = memoryFile('m.safetensors', weights);
    const shrinking = {
      ...file,
      read: async (offsetBytes: number, sizeBytes: number) =>
        (await file.read(offsetBytes, sizeBytes)).subarray(0, offsetBytes >= 8 ? sizeBytes - 1 : sizeBytes),
    };
    const opened = await openSafetensors(file);
    expect(opened.tensor('w')).toBeDefined();
    const error = await failure(openSafetensors(shrinking));
    expect(error.message).toMatch(/bytes came from offset 8, .* were wanted/);
  });
});

test.each(['fable-omni-8m', 'fable-moe-12m'])(
  'the story model %s opens, and its weights are finite',
  async (name) => {
    const checkpoint = await openCheckpoint(await nodeFolder(`demo/public/models/${name}`));
    expect(checkpoint.tensor('model.embed_tokens.weight')).toMatchObject({
      dtype: 'F16',
      shape: [4096, 192],
    });
    let weightBytes = 0;
    for (const tensor of checkpoint.names()) weightBytes += (await checkpoint.read(tensor)).bytes.length;
    const headerBytes = checkpoint.totalBytes - weightBytes;
    expect(headerBytes).toBeGreaterThan(0);
    expect(headerBytes).toBeLessThan(100_000);
  },
);
