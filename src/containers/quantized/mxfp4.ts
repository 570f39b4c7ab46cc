/**
 * gpt-oss: experts in MXFP4, all in one tensor of blocks [experts, rows, cols / 32, 16] and one of exponents [experts, rows, cols / 32],
 * both U8. Rows are outputs; those of gate and up alternate. Everything else is in 16 bits.
 */
import type { JsonObject } from '../../io/json-file.ts';
import { BLOCK_DTYPES } from '../../weights/dtypes.ts';
import type { HeldTensor, Quantization, ReadPart, RowRange } from '../tensor-files.ts';
import { pairHalves } from './nibbles.ts';
import { misshapen, Parts } from './parts.ts';

const { block: BLOCK, sizeBytes: BLOCK_BYTES } = BLOCK_DTYPES.MXFP4;
const NIBBLE_BYTES = BLOCK / 2;

/** The matrices of a tensor, whose rows alternate. */
const MATRICES: Readonly<Record<string, readonly string[]>> = {
  gate_up_proj: ['gate_proj', 'up_proj'],
  down_proj: ['down_proj'],
};

/** Makes each matrix of each expert a weight of its own. There are no settings: the file has what is quantised. */
export function mxfp4(_settings: JsonObject, _where: string): Quantization {
  return (opened, label) => {
    const parts = new Parts(opened, label);
    for (const [fused, matrices] of Object.entries(MATRICES)) {
      parts.lose(`${fused}_blocks`, (at) => `${at}0.${matrices[0]}.weight`);
      for (const at of parts.stems(`${fused}_blocks`)) addExperts(parts, at, fused, matrices);
    }
    return parts.done();
  };
}

function addExperts(parts: Parts, at: string, fused: string, matrices: readonly string[]): void {
  const any = { dtypes: ['U8'], shape: [-1, -1, -1, NIBBLE_BYTES] } as const;
  const blocks = parts.take(`${at}${fused}_blocks`, any);
  const [experts = 0, stackedRows = 0, groups = 0] = blocks.info.shape;
  const scales = parts.take(`${at}${fused}_scales`, {
    dtypes: ['U8'],
    shape: [experts, stackedRows, groups],
  });
  const step = matrices.length;
  if (stackedRows % step !== 0) throw misshapen(blocks, `a multiple of ${step} rows`);
  for (let expert = 0; expert < experts; expert += 1) {
    for (const [index, matrix] of matrices.entries()) {
      const stack = { blocks, scales, groups, step, index, firstRow: expert * stackedRows };
      parts.make(`${at}${expert}.${matrix}.weight`, {
        dtype: 'MXFP4',
        rows: stackedRows / step,
        cols: groups * BLOCK,
        source: blocks,
        compose: (rows, read) => readRows(stack, rows, read),
      });
    }
  }
}

/** A matrix: every `step`-th row from `index` on, of those that begin at `firstRow`. */
interface Stack {
  readonly blocks: HeldTensor;
  readonly scales: HeldTensor;
  readonly groups: number;
  readonly step: number;
  readonly index: number;
  readonly firstRow: number;
}

/** Rows as ggml's blocks. The rows between them are read, too: those of gate and up are asked for together, and read once. */
async function readRows(
  { blocks, scales, groups, step, index, firstRow }: Stack,
  { start, count }: RowRange,
  read: ReadPart,
): Promise<Uint8Array<ArrayBuffer>> {
  const from = firstRow + start * step;
  const [nibbles, exponents] = await Promise.all([
    read(blocks, { start: from * groups, count: count * step * groups }),
    read(scales, { start: from, count: count * step }),
  ]);
  const bytes = new Uint8Array(count * groups * BLOCK_BYTES);
  for (let row = 0; row < count; row += 1) {
    for (let group = 0; group < groups; group += 1) {
      const own = (row * step + index) * groups + group;
      const at = (row * groups + group) * BLOCK_BYTES;
      bytes[at] = exponents[own] ?? 0;
      pairHalves(nibbles, own * NIBBLE_BYTES, bytes, at + 1);
    }
  }
  return bytes;
}
