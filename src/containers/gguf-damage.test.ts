/** GGUF files of DeepSeek's latent attention, and blocks whose scales are no numbers. */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { memoryFile, memoryFolder } from '../io/memory.ts';
import { ggufBytes, type GgufContents, type WrittenTensor } from './gguf.testing.ts';
import { readGgufHeader } from './gguf/header.ts';
import { openCheckpoint } from './index.ts';
import { describeMatrix } from './matrices.ts';

const openBytes = (bytes: Uint8Array) =>
  openCheckpoint({ ...memoryFolder({ 'm.gguf': bytes }, 'mine'), entry: 'm.gguf' });
const open = (contents: GgufContents) => openBytes(ggufBytes(contents));

const f32 = (name: string, ...dims: readonly number[]): WrittenTensor => ({
  name,
  dims,
  type: 0,
  bytes: new Uint8Array(4 * dims.reduce((product, size) => product * size, 1)).fill(1),
});

/** Keys and values of DeepSeek's latent attention in two tensors. */
const latent = (keys: readonly number[], values: readonly number[]): GgufContents => {
  const metadata = {
    'general.architecture': 'deepseek2',
    'deepseek2.block_count': 1,
    'deepseek2.context_length': 128,
    'deepseek2.embedding_length': 64,
    'deepseek2.feed_forward_length': 32,
    'deepseek2.attention.head_count': 4,
    'deepseek2.attention.layer_norm_rms_epsilon': 1e-5,
    'deepseek2.expert_count': 8,
    'deepseek2.expert_used_count': 2,
    'deepseek2.expert_feed_forward_length': 32,
    'deepseek2.rope.dimension_count': 8,
    'deepseek2.attention.key_length': 24,
    'deepseek2.attention.value_length': 16,
    'deepseek2.attention.kv_lora_rank': 32,
  };
  const pieces = [f32('blk.0.attn_k_b.weight', ...keys), f32('blk.0.attn_v_b.weight', ...values)];
  return { metadata, tensors: [f32('token_embd.weight', 64, 96), ...pieces] };
};

describe('keys and values that become one matrix', () => {
  test('fit', async () => {
    const checkpoint = await open(latent([16, 32, 4], [32, 12, 4]));
    expect(checkpoint.tensor('model.layers.0.self_attn.kv_b_proj.weight')?.shape).toEqual([112, 32]);
  });

  test.each<[string, number[]]>([
    ['of other heads', [32, 12, 1]],
    ['of another rank', [16, 12, 4]],
    ['without heads', [32, 48]],
  ])('values %s', async (_, values) => {
    await expect(open(latent([16, 32, 4], values))).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringMatching(
        /tensor blk\.0\.attn_k_b\.weight is "of shape \[4, 32, 16\]", one that fits blk\.0\.attn_v_b\.weight/,
      ),
    });
  });
});

test('a vector of blocks is not read as a column', async () => {
  const bytes = new Uint8Array(2 * 34);
  const { metadata, tensors = [] } = latent([16, 32, 4], [32, 12, 4]);
  const checkpoint = await open({
    metadata,
    tensors: [...tensors, { name: 'b', dims: [64], type: 8, bytes }],
  });
  expect(() => describeMatrix(checkpoint, { tensor: 'b' }, 1)).toThrow(
    /tensor "b" is Q8_0, whose blocks are not read as rows of 1; wanted F16/,
  );
  expect(describeMatrix(checkpoint, { tensor: 'b' }, 64)).toEqual({ dtype: 'Q8_0', rows: 1 });
});

test('an infinite scale in a block is non-finite', async () => {
  const bytes = new Uint8Array(await readFile('fixtures/gguf-quant/olmoe-q4_k_m.gguf'));
  const { tensors } = await readGgufHeader(memoryFile('m.gguf', bytes));
  const { dtype, offsetBytes = 0 } = tensors.get('blk.0.attn_q.weight') ?? {};
  expect(dtype).toBe('Q5_K');
  new DataView(bytes.buffer).setUint16(offsetBytes + 176, 0x7c00, true);
  const name = 'model.layers.0.self_attn.q_proj.weight';
  const checkpoint = await openBytes(bytes);
  await expect(checkpoint.read(name, { rowStart: 0, rowCount: 2 })).rejects.toMatchObject({
    code: 'non-finite',
    message: expect.stringMatching(/blk\.0\.attn_q\.weight" Q5_K .* a NaN or an infinity at element 256,/),
  });
});
