/** Codes of four or eight bits whose tensor begins with the inputs, as those of GPTQ and AWQ: [cols, rows] of the matrix. */
import { AtomoeError } from '../../errors.ts';
import { toF32 } from '../../weights/dtypes.ts';
import type { HeldTensor, ReadPart, RowRange } from '../tensor-files.ts';
import { ByteBlocks, byteDtype } from './byte-blocks.ts';
import { BLOCK, NIBBLE_SCALES, nibbleDtype, NibbleBlocks, wordsOf } from './nibbles.ts';
import { checkGroups, codeAt, computedBytes, computedDtype } from './ordered.ts';
import { misshapen, type Parts } from './parts.ts';

/** How a method packs codes into words. */
export interface Packing {
  readonly bits: 4 | 8;
  /** Shape of the codes, divided by these: [cols, rows]. */
  readonly perWord: readonly [cols: number, rows: number];
  /** Writes the codes of 32 columns of a row in order, those of four bits two in a byte. */
  readonly gather: (words: Uint32Array, row: number, block: number, rows: number, to: Uint8Array) => void;
  /** Where the zero of a row is in its word: the lowest bit. */
  readonly zeroShift: (row: number) => number;
  /** What is added to zeros. */
  readonly zeroBias: number;
  readonly isSymmetric: boolean; // all zeros are 2^(bits - 1)
  readonly groupCols: number | undefined; // undefined: all columns
  readonly isOrdered: boolean; // `g_idx` has the group of each column; else it only repeats that groups are consecutive
}

/**
 * Makes a weight of each module with `qweight`, `qzeros` [groups, rows * bits / 32], `scales` [groups, rows], and perhaps `g_idx` [cols].
 *
 * @throws {AtomoeError} bad-file - a part is missing or has another shape; unsupported-model - another type
 */
export function addInputMajor(parts: Parts, packing: Packing): void {
  const [perCol, perRow] = packing.perWord;
  parts.lose('.qweight', (module) => `${module}.weight`);
  for (const module of parts.stems('.qweight')) {
    const codes = parts.take(`${module}.qweight`, { dtypes: ['I32'], shape: [-1, -1] });
    const [cols, rows] = [perCol * (codes.info.shape[0] ?? 0), perRow * (codes.info.shape[1] ?? 0)];
    const { groupCols = cols } = packing;
    const perZero = 32 / packing.bits;
    if (rows % perZero !== 0) throw misshapen(codes, `a multiple of ${perZero} outputs`);
    const groups = Math.ceil(cols / groupCols);
    const scales = parts.take(`${module}.scales`, { dtypes: NIBBLE_SCALES, shape: [groups, rows] });
    const zeros = parts.take(`${module}.qzeros`, { dtypes: ['I32'], shape: [groups, rows / perZero] });
    const hasOrder = parts.find(`${module}.g_idx`) !== undefined;
    const order = hasOrder ? parts.take(`${module}.g_idx`, { dtypes: ['I32'], shape: [cols] }) : undefined;
    const matrix = { codes, scales, zeros, order, rows, cols, groups, groupCols, packing };
    const dtype = order && packing.isOrdered && groups > 1 ? undefined : blockDtype(matrix);
    const { compose, ...made } = dtype ? blocks(matrix, dtype) : computed(matrix);
    parts.make(`${module}.weight`, { ...made, rows, cols, source: codes, compose });
  }
}

interface InputMajor {
  readonly codes: HeldTensor;
  readonly scales: HeldTensor;
  readonly zeros: HeldTensor;
  readonly order: HeldTensor | undefined;
  readonly rows: number;
  readonly cols: number;
  readonly groups: number;
  readonly groupCols: number;
  readonly packing: Packing;
}

/** The parts of a matrix in memory. */
interface ReadMatrix {
  readonly words: Uint32Array;
  readonly groupOf: Uint32Array | undefined;
  readonly scaleOf: (group: number, row: number) => number;
  readonly zeroOf: (group: number, row: number) => number;
}

/** Rows are columns of the file, which is read whole for them: those of experts are asked for whole. */
async function readMatrix(
  { codes, scales, zeros, order, rows, packing }: InputMajor,
  read: ReadPart,
): Promise<ReadMatrix> {
  const [words, scaleBytes, zeroWords, groupOf] = await Promise.all([
    read(codes).then(wordsOf),
    read(scales),
    read(zeros).then(wordsOf),
    order && read(order).then(wordsOf),
  ]);
  const factors = toF32(scales.info.dtype === 'F16' ? 'F16' : 'BF16', scaleBytes);
  const { bits, isSymmetric, zeroShift, zeroBias } = packing;
  const [perZero, middle] = [32 / bits, 2 ** (bits - 1)];
  return {
    words,
    groupOf,
    scaleOf: (group, row) => factors[group * rows + row] ?? NaN,
    zeroOf(group, row) {
      const stored =
        ((zeroWords[(group * rows + row - (row % perZero)) / perZero] ?? 0) >>> zeroShift(row)) &
        (2 ** bits - 1);
      const zero = stored + zeroBias;
      if (isSymmetric && zero !== middle) throw asymmetric(zeros, zero, middle);
      return zero;
    },
  };
}

/** The block type that holds consecutive groups exactly, if there is one. */
function blockDtype({ scales, cols, groupCols, packing }: InputMajor) {
  const { bits, isSymmetric } = packing;
  if (bits === 4) return nibbleDtype(scales.info.dtype, isSymmetric);
  return isSymmetric ? byteDtype(scales.info.dtype, groupCols, cols) : undefined;
}

/** A matrix whose groups are consecutive columns. */
function blocks(matrix: InputMajor, dtype: NonNullable<ReturnType<typeof blockDtype>>) {
  const { order, rows, cols, groupCols, packing } = matrix;
  const compose = async ({ start, count }: RowRange, read: ReadPart) => {
    const { words, groupOf, scaleOf, zeroOf } = await readMatrix(matrix, read);
    checkConsecutive(order, groupOf, groupCols);
    const perRow = cols / BLOCK;
    const isBytes = dtype === 'Q8_0' || dtype === 'I8_G128';
    const to = isBytes ? new ByteBlocks(dtype, count * perRow) : new NibbleBlocks(dtype, count * perRow);
    const own = new Uint8Array((BLOCK * packing.bits) / 8);
    for (let row = start; row < start + count; row += 1) {
      for (let block = 0; block < perRow; block += 1) {
        const group = Math.floor((block * BLOCK) / groupCols);
        packing.gather(words, row, block, rows, own);
        to.set((row - start) * perRow + block, scaleOf(group, row), zeroOf(group, row), own, 0);
      }
    }
    return to.bytes;
  };
  return { dtype, compose };
}

/** A matrix that no block type holds: its columns have groups in any order, or its bytes have zeros. */
function computed(matrix: InputMajor) {
  const { scales, order, rows, cols, groups, groupCols, packing } = matrix;
  const { bits } = packing;
  const dtype = computedDtype(scales.info.dtype);
  const compose = async ({ start, count }: RowRange, read: ReadPart) => {
    const { words, groupOf, scaleOf, zeroOf } = await readMatrix(matrix, read);
    if (!packing.isOrdered) checkConsecutive(order, groupOf, groupCols);
    else if (order && groupOf) checkGroups(order, groupOf, groups);
    const values = new Float32Array(count * cols);
    const own = new Uint8Array((BLOCK * bits) / 8);
    for (let row = start; row < start + count; row += 1) {
      for (let col = 0; col < cols; col += 1) {
        if (col % BLOCK === 0) packing.gather(words, row, col / BLOCK, rows, own);
        const group = groupOf?.[col] ?? Math.floor(col / groupCols);
        const code = codeAt(own, bits, col % BLOCK);
        values[(row - start) * cols + col] = scaleOf(group, row) * (code - zeroOf(group, row));
      }
    }
    return computedBytes(dtype, values);
  };
  return { dtype, compose };
}

/** @throws {AtomoeError} bad-file - groups are not consecutive columns */
function checkConsecutive(
  order: HeldTensor | undefined,
  groupOf: Uint32Array | undefined,
  groupCols: number,
): void {
  if (order && groupOf?.some((group, col) => group !== Math.floor(col / groupCols))) throw ordered(order);
}

function ordered({ info }: HeldTensor): AtomoeError {
  return new AtomoeError(
    'bad-file',
    `${info.file}: tensor "${info.name}" orders columns by activations, though config.json says desc_act false; wanted groups of ` +
      'consecutive columns; correct config.json, or download both again',
  );
}

function asymmetric({ info }: HeldTensor, zero: number, wanted: number): AtomoeError {
  return new AtomoeError(
    'bad-file',
    `${info.file}: tensor "${info.name}" has the zero point ${zero}, though config.json says sym; wanted ${wanted}; correct ` +
      'config.json, or download both again',
  );
}
