/** GGUF files: headers, names, rows in their order, files in parts, and everything that can be wrong with them. */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { memoryFile, memoryFolder } from '../io/memory.ts';
import { nodeFolder } from '../io/node-file.ts';
import type { FolderSource } from '../io/source.ts';
import { loadFormats } from '../weights/formats/index.ts';
import { f32Tensor, ggufBytes, type GgufContents, type Written, type WrittenTensor } from './gguf.testing.ts';
import { readGgufHeader } from './gguf/header.ts';
import { openCheckpoint } from './index.ts';

const FAMILIES = [
  ...['olmoe', 'mixtral', 'granitemoe', 'granitemoeshared', 'qwen2_moe', 'qwen3_moe', 'dots1', 'glm4_moe'],
  ...['ernie4_5_moe', 'hunyuan_v1_moe', 'minimax_m2', 'gpt_oss', 'lfm2_moe'],
  ...['deepseek_v2', 'deepseek_v3', 'glm4_moe_lite', 'solar_open', 'exaone_moe', 'granitemoehybrid'],
  ...['nemotron_h', 'phimoe', 'gemma4_text', 'llama4_text'],
] as const;

/** Their tensors are rearranged: gguf-recurrent.test.ts. */
const DELTA_NETS = ['qwen3_next', 'qwen3_5_moe_text'] as const;

/** Files of these have the architecture of a family with the same graph. */
const SAME_GRAPH: ReadonlySet<string> = new Set(['glm4_moe_lite', 'solar_open']);

describe.each(FAMILIES)('%s', (family) => {
  test('has the tensors of the safetensors checkpoint, bit for bit', async () => {
    const file = await openCheckpoint(await nodeFolder(`fixtures/gguf/${family}.gguf`));
    const model = await openCheckpoint(await nodeFolder(`fixtures/models/${family}`));
    for (const name of file.names()) {
      if (/^(blk|rope)/.test(name)) continue; // pieces of others, and of the config
      if (/granite|gpt_oss|gemma4|llama4/.test(family) && /\.experts\.|shared_mlp/.test(name)) continue; // apart here, fused there
      const found = await file.read(name);
      const wanted = await model.read(name);
      expect(found.shape, name).toEqual(wanted.shape);
      if (name.endsWith('A_log')) {
        // A logarithm of an exponential.
        const values = new Float32Array(found.bytes.buffer);
        for (const [i, value] of (await model.readF32(name)).entries())
          expect(values[i]).toBeCloseTo(value, 5);
      } else expect(Buffer.compare(found.bytes, wanted.bytes), name).toBe(0);
    }
    file.dispose();
    model.dispose();
  });
});

test.each([...FAMILIES, ...DELTA_NETS])('%s has the config of the safetensors checkpoint', async (family) => {
  const file = await openCheckpoint(await nodeFolder(`fixtures/gguf/${family}.gguf`));
  const config = JSON.parse(await readFile(`fixtures/models/${family}/config.json`, 'utf8'));
  const same = Object.keys(file.config).filter(
    (key) =>
      typeof config[key] === 'number' ||
      typeof config[key] === 'boolean' ||
      (key === 'model_type' && !SAME_GRAPH.has(family)),
  );
  expect(same.length).toBeGreaterThan(9);
  for (const key of same) {
    if (/granitemoehybrid|nemotron_h/.test(family) && key === 'max_position_embeddings') continue; // the converter's own
    const [found, wanted] = [file.config[key], config[key]];
    if (typeof wanted === 'number') expect(found, key).toBeCloseTo(wanted, 7);
    else expect(found, key).toBe(wanted);
  }
  file.dispose();
});

test.each([
  [64, 1.0801234245300293],
  [4096, 1.243163121016122],
])('factors of rotary positions, of %i original positions', async (original, amplitude) => {
  const header = await readGgufHeader((await (await nodeFolder('fixtures/gguf')).open('phimoe.gguf'))!);
  const metadata = {
    ...(Object.fromEntries(header.metadata) as Readonly<Record<string, Written>>),
    'phimoe.rope.scaling.original_context_length': original,
  };
  const vector = (name: string, ...values: readonly number[]) => ({
    ...f32(name, values.length),
    bytes: new Uint8Array(Float32Array.from(values).buffer),
  });
  const tensors = [
    ...['token_embd.weight', 'b', 'c'].map((name) => f32(name, 64, 96)), // as many as layers
    vector('rope_factors_short.weight', 1, 1.5),
    vector('rope_factors_long.weight', 2, 4),
  ];
  const { rope_scaling: rope } = (await open({ metadata, tensors })).config as { rope_scaling: object };
  const near = expect.closeTo(amplitude, 9) as number;
  expect(rope).toEqual({
    ...{ rope_type: 'longrope', original_max_position_embeddings: original },
    ...{ short_factor: [1, 1.5], long_factor: [2, 4], short_mscale: near, long_mscale: near },
  });
});

test('divisors of rotary positions other than 1 and huge ones', async () => {
  const header = await readGgufHeader((await (await nodeFolder('fixtures/gguf')).open('gemma4_text.gguf'))!);
  const metadata = Object.fromEntries(header.metadata) as Readonly<Record<string, Written>>;
  const embedding = Array.from({ length: 6 }, (_, i) => f32(i === 0 ? 'token_embd.weight' : `t${i}`, 64, 96));
  const withDivisors = (...values: readonly number[]) => {
    const bytes = new Uint8Array(Float32Array.from(values).buffer);
    return open({ metadata, tensors: [...embedding, { ...f32('rope_freqs.weight', values.length), bytes }] });
  };
  const { rope_parameters: rope } = (await withDivisors(1, 1e30, 1e30, 1e30)).config;
  expect(rope).toMatchObject({ full_attention: { partial_rotary_factor: 0.25 } });
  await expect(withDivisors(1, 8, 1e30, 1e30)).rejects.toMatchObject({ code: 'bad-file' });
});

test('tensors named as what objects have of their own keep their names', async () => {
  const header = await readGgufHeader((await (await nodeFolder('fixtures/gguf')).open('lfm2_moe.gguf'))!);
  const metadata = Object.fromEntries(header.metadata) as GgufContents['metadata'];
  const tensors = ['token_embd.weight', 'constructor', 'blk.0.constructor.weight'].map((name) =>
    f32(name, 64, 96),
  );
  const names = [...(await open({ metadata, tensors })).names()];
  expect(names).toEqual(['model.embed_tokens.weight', 'constructor', 'blk.0.constructor.weight']);
});

test('some rows of a tensor whose rows are in pairs', async () => {
  const file = await openCheckpoint(await nodeFolder('fixtures/gguf/mixtral.gguf'));
  const name = 'model.layers.1.self_attn.q_proj.weight';
  const whole = await file.read(name);
  const part = await file.read(name, { rowStart: 13, rowCount: 9 });
  const rowBytes = whole.bytes.byteLength / 64;
  expect(part.shape).toEqual([9, 64]);
  expect(part.bytes).toEqual(whole.bytes.subarray(13 * rowBytes, 22 * rowBytes));
  file.dispose();
});

/** A folder whose entry is a GGUF file. */
function entryFolder(files: Readonly<Record<string, Uint8Array>>, entry = 'm.gguf'): FolderSource {
  return { ...memoryFolder(files, 'mine'), entry };
}

const f32 = (name: string, ...dims: number[]): WrittenTensor => ({
  name,
  dims,
  type: 0,
  bytes: new Uint8Array(4 * dims.reduce((product, size) => product * size, 1)).fill(1),
});

const METADATA = {
  'general.architecture': 'olmoe',
  'olmoe.block_count': 1,
  'olmoe.context_length': 128,
  'olmoe.embedding_length': 64,
  'olmoe.feed_forward_length': 32,
  'olmoe.attention.head_count': 4,
  'olmoe.attention.head_count_kv': 4,
  'olmoe.attention.layer_norm_rms_epsilon': 1e-5,
  'olmoe.expert_count': 8,
  'olmoe.expert_used_count': 2,
} as const;

const CONTENTS: GgufContents = { metadata: METADATA, tensors: [f32('token_embd.weight', 64, 96)] };

const open = (contents: GgufContents) => openCheckpoint(entryFolder({ 'm.gguf': ggufBytes(contents) }));

/** The same bytes with a word at a place. */
function patched(at: number, word: number): Uint8Array {
  const bytes = ggufBytes(CONTENTS);
  new DataView(bytes.buffer).setUint32(at, word, true);
  return bytes;
}

describe('headers', () => {
  test.each([2, 3])('of version %i', async (version) => {
    const file = memoryFile('m.gguf', ggufBytes({ ...CONTENTS, version }));
    const { tensors, metadata, version: found } = await readGgufHeader(file);
    expect(found).toBe(version);
    expect(metadata.get('olmoe.expert_count')).toBe(8);
    expect(tensors.get('token_embd.weight')).toMatchObject({
      dtype: 'F32',
      shape: [96, 64],
      sizeBytes: 24_576,
    });
  });

  test('values of every type', async () => {
    const metadata = {
      a: { type: 'u8', value: 200 },
      b: { type: 'i32', value: -5 },
      c: { type: 'u64', value: 2 ** 40 },
      d: { type: 'f64', value: 0.1 },
      e: 1.5,
      f: true,
      g: 'text \u{1f600}',
      h: [1, 2, 3],
      i: ['a', 'b'],
      j: [],
    } as const;
    const { metadata: found } = await readGgufHeader(memoryFile('m.gguf', ggufBytes({ metadata })));
    expect(Object.fromEntries(found)).toEqual({
      ...{ a: 200, b: -5, c: 2 ** 40, d: 0.1, e: 1.5, f: true, g: 'text \u{1f600}', h: [1, 2, 3] },
      ...{ i: ['a', 'b'], j: [] },
    });
  });

  test('lists beyond all vocabularies are refused', async () => {
    const bytes = ggufBytes({ metadata: { long: [1, 2, 3] } });
    new DataView(bytes.buffer).setUint32(24 + 8 + 4 + 4 + 4, 2 ** 24, true); // behind the key and two types
    await expect(readGgufHeader(memoryFile('m.gguf', bytes))).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringMatching(/the list "long" claims 16777216 elements, at most 8388608/),
    });
  });

  test('a long one is read in few pieces, and nothing of the data', async () => {
    const tokens = Array.from({ length: 60_000 }, (_, index) => `token ${index}`);
    const contents = { ...CONTENTS, metadata: { ...METADATA, 'tokenizer.ggml.tokens': tokens } };
    const bytes = ggufBytes(contents);
    const reads: number[] = [];
    const file = memoryFile('m.gguf', bytes);
    const { metadata } = await readGgufHeader({
      ...file,
      read: (at, sizeBytes, options) => {
        reads.push(at + sizeBytes);
        return file.read(at, sizeBytes, options);
      },
    });
    expect((metadata.get('tokenizer.ggml.tokens') as string[]).at(-1)).toBe('token 59999');
    expect(reads.length).toBeLessThan(8);
  });
});

describe('what is wrong is one error that names it', () => {
  test.each<[string, Uint8Array, string, RegExp]>([
    ['a wrong magic', patched(0, 0x1234), 'bad-file', /m\.gguf: it begins with .*"GGUF" is wanted/],
    ['version 1', patched(4, 1), 'unsupported-model', /GGUF version 1, little-endian 2 or 3/],
    ['big-endian', patched(4, 0x0300_0000), 'unsupported-model', /\(big-endian\)/],
    ['a count of tensors', patched(8, 0x7fff_ffff), 'bad-file', /claims 2147483647 tensors/],
    ['a count of keys', patched(16, 0x7fff_ffff), 'bad-file', /claims 2147483647 keys/],
    ['a length of a key', patched(24, 0x7fff_ffff), 'bad-file', /a key claims a text of 2147483647 bytes/],
    [
      'a truncated header',
      ggufBytes(CONTENTS).slice(0, 100),
      'bad-file',
      /where the file ends; it is truncated/,
    ],
    [
      'truncated data',
      ggufBytes(CONTENTS).slice(0, -4),
      'bad-file',
      /"token_embd.weight" ends at byte 24576 .* truncated/,
    ],
  ])('%s', async (_, bytes, code, message) => {
    await expect(openCheckpoint(entryFolder({ 'm.gguf': bytes }))).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  const tensor = f32('token_embd.weight', 64, 96);
  const { 'general.architecture': _, ...noArchitecture } = METADATA;
  test.each<[string, GgufContents, string, RegExp]>([
    [
      'no architecture',
      { metadata: noArchitecture },
      'unsupported-model',
      /architecture null is not supported; .*olmoe/,
    ],
    ['an unknown one', { metadata: { 'general.architecture': 'rwkv' } }, 'unsupported-model', /"rwkv"/],
    [
      'a key twice',
      {
        metadata: [
          ['a', 1],
          ['a', 2],
        ],
      },
      'bad-file',
      /the key "a" occurs twice/,
    ],
    ['an alignment', { metadata: { 'general.alignment': 12 } }, 'bad-file', /general\.alignment is 12/],
    [
      'a missing key',
      { metadata: { 'general.architecture': 'olmoe' }, tensors: [tensor] },
      'bad-file',
      /olmoe\.\S+ is missing/,
    ],
    [
      'a text for a number',
      { ...CONTENTS, metadata: { ...METADATA, 'olmoe.expert_count': 'eight' } },
      'bad-file',
      /olmoe\.expert_count is "eight", a positive whole number/,
    ],
    [
      'a tensor twice',
      { metadata: METADATA, tensors: [tensor, tensor] },
      'bad-file',
      /"token_embd.weight" occurs twice/,
    ],
    [
      'an overlap',
      { metadata: METADATA, tensors: [tensor, { ...f32('b', 64), offsetBytes: 32 }] },
      'bad-file',
      /"b" begins at byte 32 .* inside/,
    ],
    [
      'an offset',
      { metadata: METADATA, tensors: [{ ...tensor, offsetBytes: 8 }] },
      'bad-file',
      /a multiple of 32 is wanted/,
    ],
    [
      'a gap',
      { metadata: METADATA, tensors: [tensor, { ...f32('b', 64), offsetBytes: 24_608 }] },
      'bad-file',
      /"b" begins at byte 24608 .* byte 24576 behind tensor "token_embd.weight" is wanted/,
    ],
    [
      'more layers than tensors',
      { ...CONTENTS, metadata: { ...METADATA, 'olmoe.block_count': 2 ** 30 } },
      'bad-file',
      /olmoe\.block_count is "1073741824", at most 1, the number of tensors/,
    ],
    [
      'a layer too many',
      { metadata: METADATA, tensors: [tensor, f32('blk.1.attn_norm.weight', 64)] },
      'bad-file',
      /tensor blk\.1\.attn_norm\.weight is "of shape \[64\]", a layer below block_count, 1, is wanted/,
    ],
    [
      'experts too many',
      { metadata: METADATA, tensors: [tensor, f32('blk.0.ffn_up_exps.weight', 64, 32, 9)] },
      'bad-file',
      /tensor blk\.0\.ffn_up_exps\.weight is "of shape \[9, 32, 64\]", one of 8 experts is wanted/,
    ],
    [
      'key-value heads without end',
      {
        ...CONTENTS,
        metadata: {
          ...METADATA,
          'olmoe.attention.head_count_kv': Array.from({ length: 200_000 }, () => 4),
          'olmoe.context_length': 0,
        },
      },
      'bad-file',
      /olmoe\.context_length is missing/,
    ],
    [
      'too many dimensions',
      { metadata: METADATA, tensors: [f32('b', 1, 1, 1, 1, 1)] },
      'bad-file',
      /"b" has 5 dimensions/,
    ],
    [
      'no elements',
      { metadata: METADATA, tensors: [f32('b', 0, 4)] },
      'bad-file',
      /"b" has the shape \[4, 0\]/,
    ],
    [
      'a quantisation',
      { metadata: METADATA, tensors: [{ ...tensor, type: 31 }] },
      'unsupported-model',
      /is Q4_0_4_4, .* choose another quantisation/,
    ],
    [
      'an unknown type',
      { metadata: METADATA, tensors: [{ ...tensor, type: 99 }] },
      'unsupported-model',
      /unknown type 99/,
    ],
    [
      'part of a block',
      { metadata: METADATA, tensors: [{ ...f32('b', 40, 2), type: 2 }] },
      'bad-file',
      /"b" is Q4_0 with rows of 40, whole blocks/,
    ],
  ])('%s', async (_name, contents, code, message) => {
    await expect(open(contents)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

describe('files in parts', () => {
  const NAMES = [1, 2, 3].map((part) => `m-0000${part}-of-00003.gguf`);
  const [first = '', second = '', third = ''] = NAMES;
  const split = (index: number) => ({ 'split.no': index, 'split.count': 3, 'split.tensors.count': 3 });
  const files = {
    [first]: ggufBytes({
      metadata: { ...METADATA, ...split(0) },
      tensors: [f32('token_embd.weight', 64, 96)],
    }),
    [second]: ggufBytes({ metadata: split(1), tensors: [f32('output_norm.weight', 64)] }),
    [third]: ggufBytes({ metadata: split(2), tensors: [f32('output.weight', 64, 96)] }),
  };

  test('are one model', async () => {
    const checkpoint = await openCheckpoint(entryFolder(files, first));
    expect([...checkpoint.names()].sort()).toEqual([
      'lm_head.weight',
      'model.embed_tokens.weight',
      'model.norm.weight',
    ]);
    expect(checkpoint.files.map(({ name }) => name)).toEqual(NAMES);
    expect(checkpoint.config['tie_word_embeddings']).toBe(false);
    expect((await checkpoint.readF32('model.norm.weight')).length).toBe(64);
  });

  test('are found in capitals, too', async () => {
    const renamed = Object.entries(files).map(([name, bytes]) => [name.replace('gguf', 'GGUF'), bytes]);
    const folder = entryFolder(Object.fromEntries(renamed), 'm-00001-of-00003.GGUF');
    const checkpoint = await openCheckpoint(folder);
    expect(checkpoint.files).toHaveLength(3);
  });

  test.each<[string, Record<string, Uint8Array>, string, RegExp]>([
    [
      'one is missing',
      { [first]: files[first]!, [third]: files[third]! },
      first,
      /m-00002-of-00003\.gguf is missing/,
    ],
    ['the second is given', files, second, /says that it is part 2 of 3, part 1 of 1 is wanted/],
    [
      'two are exchanged',
      { ...files, [second]: files[third]!, [third]: files[second]! },
      first,
      /says that it is part 3 of 3/,
    ],
    [
      'a tensor is in two',
      { ...files, [third]: ggufBytes({ metadata: split(2), tensors: [f32('output_norm.weight', 64)] }) },
      first,
      /a tensor is in two of its files/,
    ],
  ])('%s', async (_, given, entry, message) => {
    await expect(openCheckpoint(entryFolder(given, entry))).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringMatching(message),
    });
  });
});

describe('NVFP4 with factors of tensors', () => {
  const stem = 'blk.0.ffn_gate_exps';
  const weight = {
    name: `${stem}.weight`,
    dims: [64, 32, 8],
    type: 40,
    bytes: new Uint8Array(8 * 32 * 36).fill(0x38), // scales of 1, codes of 8 and 3
  };
  const factors = (values: readonly number[]) =>
    f32Tensor(`${stem}.scale`, [values.length], Float32Array.from(values));
  const openWith = (...tensors: WrittenTensor[]) =>
    open({ metadata: METADATA, tensors: [...CONTENTS.tensors!, ...tensors] });
  const nameOf = (expert: number) => `model.layers.0.mlp.experts.${expert}.gate_proj.weight`;

  test('each expert has its own, those of activations are left out', async () => {
    await loadFormats(['nvfp4', 'f4_g16']);
    const own = [1, 2, 3, 4, 5, 6, 7, 0.5];
    const inputs = f32Tensor(`${stem}.input_scale`, [1], Float32Array.of(9));
    const checkpoint = await openWith(weight, factors(own), inputs);
    expect([...checkpoint.names()].filter((name) => name.includes('scale'))).toEqual([]);
    const plain = await (await openWith(weight)).readF32(nameOf(0));
    expect(plain.slice(0, 10).map(Math.abs)).toEqual(Float32Array.of(0, 0, 0, 0, 0, 0, 0, 0, 1.5, 1.5));
    for (const [expert, factor] of own.entries()) {
      const values = await checkpoint.readF32(nameOf(expert), { rowStart: 3, rowCount: 2 });
      expect(values).toEqual(plain.slice(3 * 64, 5 * 64).map((value) => value * factor));
    }
  });

  test('as many as experts are wanted', async () => {
    await expect(openWith(weight, factors([1, 2]))).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringMatching(/blk\.0\.ffn_gate_exps\.scale.*\[2\].*8 of F32/),
    });
  });
});
