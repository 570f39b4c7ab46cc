/** NVFP4 in GGUF files: `blk.N.MODULE.scale` is a factor of the tensor, or of each expert, where it is not 1. */
import { BLOCK_DTYPES, toF32 } from '../../weights/dtypes.ts';
import type { HeldTensor, ReadPart, RowRange } from '../tensor-files.ts';
import type { GgufKeys } from './keys.ts';

const { sizeBytes: PLAIN_BYTES } = BLOCK_DTYPES.NVFP4;
const { sizeBytes: BLOCK_BYTES } = BLOCK_DTYPES.F4_G16;
const FACTOR_BYTES = BLOCK_BYTES - PLAIN_BYTES;

/**
 * Puts the factors of tensors into their blocks, and leaves out those of activations, which are not quantised here.
 *
 * @param byName - every tensor by its name in the family; those without one have the file's. It is changed
 * @param storedAs - the file's name of each
 * @throws {AtomoeError} bad-file - there are not as many factors as experts
 */
export function applyTensorScales(
  byName: Map<string, HeldTensor>,
  storedAs: ReadonlyMap<string, string>,
  keys: GgufKeys,
): void {
  const used = new Set<string>();
  for (const [name, held] of byName) {
    if (held.info.dtype !== 'NVFP4') continue;
    const stem = storedAs.get(name)?.replace(/\.weight$/, '') ?? '';
    used.add(`${stem}.input_scale`);
    const factors = byName.get(`${stem}.scale`);
    if (!factors) continue;
    used.add(`${stem}.scale`);
    const expert = /\.experts\.(\d+)\./.exec(name)?.[1];
    const count = expert === undefined ? 1 : keys.count('expert_count');
    const { dtype, shape } = factors.info;
    if (dtype !== 'F32' || shape.length !== 1 || shape[0] !== count)
      throw keys.contradiction(`${stem}.scale`, shape, `${count} of F32`);
    byName.set(name, scaled(held, factors, Number(expert ?? 0)));
  }
  for (const name of used) byName.delete(name);
}

function scaled(held: HeldTensor, factors: HeldTensor, index: number): HeldTensor {
  const { info, source, rowOrder } = held;
  const sizeBytes = (info.sizeBytes / PLAIN_BYTES) * BLOCK_BYTES;
  const compose = async (rows: RowRange, read: ReadPart) => {
    const [blocks, factor] = await Promise.all([
      rowOrder ? readOrdered(held, rowOrder, rows, read) : read(held, rows),
      read(factors, { start: index, count: 1 }),
    ]);
    return withFactor(blocks, toF32('F32', factor)[0] ?? NaN);
  };
  return { info: { ...info, dtype: 'F4_G16', sizeBytes }, source, compose };
}

/** Rows in their order; the file has them in pairs, near each other. */
async function readOrdered(
  held: HeldTensor,
  rowOrder: (row: number) => number,
  { start, count }: RowRange,
  read: ReadPart,
): Promise<Uint8Array<ArrayBuffer>> {
  const whole = await read(held);
  const rowBytes = whole.length / (held.info.shape[0] ?? 1);
  const bytes = new Uint8Array(count * rowBytes);
  for (let row = 0; row < count; row += 1) {
    const from = rowOrder(start + row) * rowBytes;
    bytes.set(whole.subarray(from, from + rowBytes), row * rowBytes);
  }
  return bytes;
}

/** Blocks with a factor in front of each. A code of a NaN, which ggml reads as 0, is 0; there are no signs. */
function withFactor(blocks: Uint8Array, factor: number): Uint8Array<ArrayBuffer> {
  const to = new Uint8Array((blocks.length / PLAIN_BYTES) * BLOCK_BYTES);
  const view = new DataView(to.buffer);
  for (let from = 0, at = 0; from < blocks.length; from += PLAIN_BYTES, at += BLOCK_BYTES) {
    view.setFloat32(at, factor, true);
    to.set(blocks.subarray(from, from + PLAIN_BYTES), at + FACTOR_BYTES);
    for (let k = at + FACTOR_BYTES; k < at + FACTOR_BYTES + 4; k += 1) {
      const scale = (to[k] ?? 0) & 0x7f;
      to[k] = scale === 0x7f ? 0 : scale;
    }
  }
  return to;
}
