import { expect, test } from 'vitest';
import { memoryFile } from '../io/memory.ts';
import { openSafetensors } from './safetensors/open.ts';
import { copyTensor, safetensorsPieces, safetensorsSize, type TensorToWrite } from './safetensors-writer.ts';
import { f32Safetensors } from './safetensors.testing.ts';

async function join(pieces: AsyncIterable<Uint8Array<ArrayBuffer>>): Promise<Uint8Array<ArrayBuffer>> {
  const all: number[] = [];
  for await (const piece of pieces) all.push(...piece);
  return Uint8Array.from(all);
}

const values = Array.from({ length: 30 }, (_, i) => i / 4);
const original = await openSafetensors(
  memoryFile(
    'a.safetensors',
    f32Safetensors({
      matrix: { shape: [2, 5, 3], values },
      vector: { shape: [4], values: [1, 2, 3, 4] },
      scalar: { shape: [], values: [7] },
      empty: { shape: [0, 3], values: [] },
      __proto__x: { shape: [1], values: [8] },
    }),
  ),
);

/** Pieces of one byte at most still take a whole row. */
test.each([1, 12, 25, 1000])('what is copied in pieces of %i bytes reads as it did', async (pieceBytes) => {
  const names = [...original.names()].toReversed();
  const tensors = names.map((name) => copyTensor(original, name, { pieceBytes }));
  const metadata = { format: 'pt' };
  const bytes = await join(safetensorsPieces(tensors, metadata));
  expect(bytes.byteLength).toBe(safetensorsSize(tensors, metadata));
  expect(Number(new DataView(bytes.buffer).getBigUint64(0, true)) % 8).toBe(0);
  const copy = await openSafetensors(memoryFile('b.safetensors', bytes));
  expect([...copy.names()]).toEqual(names);
  expect(copy.metadata).toEqual(metadata);
  for (const name of names) expect(await copy.read(name)).toEqual(await original.read(name));
  const largest = Math.max(12, pieceBytes);
  for await (const piece of copyTensor(original, 'matrix', { pieceBytes }).pieces()) {
    expect(piece.byteLength).toBeLessThanOrEqual(largest);
  }
});

test('a file may hold nothing', async () => {
  const bytes = await join(safetensorsPieces([]));
  expect([...(await openSafetensors(memoryFile('c.safetensors', bytes))).names()]).toEqual([]);
});

test('a tensor that gives too few bytes is caught', async () => {
  const short: TensorToWrite = {
    name: 'short',
    dtype: 'F32',
    shape: [2],
    async *pieces() {
      yield new Uint8Array(4);
    },
  };
  await expect(join(safetensorsPieces([short]))).rejects.toThrow('tensor short: 4 bytes of it did not come');
});
