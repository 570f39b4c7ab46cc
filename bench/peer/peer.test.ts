import { expect, test } from 'vitest';
import { openCheckpoint } from '../../src/containers/index.ts';
import { q4_0 } from '../../src/weights/formats/q4_0.ts';
import { checkpointFolder } from './checkpoint.ts';
import { BLOCK, dequantize, makeWeights, randomMatrix, type ModelShape } from './model.ts';
import { bytes, float, integer, message, serialize, text } from './protobuf.ts';

test('protobuf fields have the bytes of the wire format', () => {
  expect([...serialize([integer(1, 300)])]).toEqual([0x08, 0xac, 0x02]);
  expect([...serialize([integer(3, -1)])]).toEqual([0x18, ...Array<number>(9).fill(0xff), 0x01]);
  expect([...serialize([float(2, 1)])]).toEqual([0x15, 0, 0, 0x80, 0x3f]);
  expect([...serialize([text(2, 'testing')])]).toEqual([0x12, 7, ...new TextEncoder().encode('testing')]);
  expect([...serialize([message(3, [integer(1, 150)])])]).toEqual([0x1a, 3, 0x08, 0x96, 0x01]);
  expect([...serialize([bytes(16, Uint8Array.of(9))])]).toEqual([0x82, 0x01, 1, 9]);
});

test('quantising the values gives the quants and scales that they were made from', () => {
  const rows = 7;
  const cols = 96;
  const matrix = randomMatrix(rows, cols, 5);
  const values = dequantize(matrix, 0, rows * cols);
  const packed = q4_0.encode(values, rows, cols);
  expect(q4_0.decode(packed, rows, cols)).toEqual(values);
  const scales = new Uint16Array(packed.buffer, (rows * cols) / 2);
  expect(matrix.scales.length).toBe((rows * cols) / BLOCK);
  // Halves of the exact scales: their low 13 bits are zero.
  const words = new Uint32Array(matrix.scales.buffer);
  for (const [block, word] of words.entries()) {
    expect(word & 0x1fff).toBe(0);
    expect((scales[block] ?? 0) & 0x8000).toBe((word >>> 16) & 0x8000);
  }
});

const TINY: ModelShape = {
  layers: 1,
  hidden: 64,
  ffn: 32,
  experts: 2,
  topK: 1,
  heads: 2,
  kvHeads: 1,
  headDim: 32,
  vocab: 8,
  contextTokens: 16,
  theta: 10_000,
  eps: 1e-5,
};

test('the checkpoint holds the same values, exactly, in bf16', async () => {
  const weights = makeWeights(TINY);
  const checkpoint = await openCheckpoint(checkpointFolder(weights));
  const read = (name: string, rows = {}) => checkpoint.readF32(name, rows);
  expect(await read('lm_head.weight')).toEqual(dequantize(weights.head, 0, 8 * 64));
  const down = weights.layers[0]!.experts[1]!.down;
  const part = await read('model.layers.0.block_sparse_moe.experts.1.w2.weight', {
    rowStart: 3,
    rowCount: 2,
  });
  expect(part).toEqual(dequantize(down, 3 * 32, 2 * 32));
  expect(await read('model.norm.weight')).toEqual(weights.norm);
});
