/**
 * AWQ in four bits, as its GEMM kernels read it: `qweight` I32 [cols, rows / 8] with eight rows in a word, from the lowest bits on
 * in the order 0, 2, 4, 6, 1, 3, 5, 7; zeros likewise.
 */
import type { JsonObject } from '../../io/json-file.ts';
import type { Quantization } from '../tensor-files.ts';
import { addInputMajor } from './input-major.ts';
import { BLOCK } from './nibbles.ts';
import { Parts } from './parts.ts';
import { Settings } from './settings.ts';

/** @throws {AtomoeError} unsupported-model - other bits or groups, or the layout of other kernels */
export function awq(values: JsonObject, where: string): Quantization {
  const settings = new Settings(values, where);
  settings.oneOf('bits', [4]);
  settings.oneOf('version', ['gemm', 'GEMM']);
  const groupCols = settings.size('group_size', BLOCK);
  return (opened, label) => {
    const parts = new Parts(opened, label);
    addInputMajor(parts, {
      bits: 4,
      perWord: [1, 8],
      gather,
      zeroShift: shiftOf,
      zeroBias: 0,
      isSymmetric: false,
      groupCols,
      isOrdered: false,
    });
    return parts.done();
  };
}

/** Where a row is in its word. */
function shiftOf(row: number): number {
  const own = row & 7;
  return 4 * ((own >> 1) + 4 * (own & 1));
}

function gather(words: Uint32Array, row: number, block: number, rows: number, to: Uint8Array): void {
  const [step, shift] = [rows / 8, shiftOf(row)];
  let at = BLOCK * block * step + (row >> 3);
  for (let i = 0; i < BLOCK / 2; i += 1, at += 2 * step) {
    const low = ((words[at] ?? 0) >>> shift) & 15;
    const high = ((words[at + step] ?? 0) >>> shift) & 15;
    to[i] = low | (high << 4);
  }
}
