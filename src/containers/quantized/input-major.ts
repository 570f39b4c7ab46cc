/** Codes of four bits whose tensor begins with the inputs, as those of GPTQ and AWQ: [cols, rows] of the matrix. */
import { AtomoeError } from '../../errors.ts';
import { toF32 } from '../../weights/dtypes.ts';
import type { HeldTensor, ReadPart, RowRange } from '../tensor-files.ts';
import { BLOCK, MIDDLE, NIBBLE_SCALES, nibbleDtype, NibbleBlocks, wordsOf } from './nibbles.ts';
import { checkGroups, computedBytes, computedDtype } from './ordered.ts';
import { misshapen, type Parts } from './parts.ts';

/** How a method packs codes, eight in a word. */
export interface Packing {
  /** Shape of the codes, divided by these: [cols, rows]. */
  readonly perWord: readonly [cols: number, rows: number];
  /** Writes the codes of 32 columns of a row, two in a byte, in order. */
  readonly gather: (words: Uint32Array, row: number, block: number, rows: number, to: Uint8Array) => void;
  /** Where the zero of a row is in its word: the lowest bit. */
  readonly zeroShift: (row: number) => number;
  /** What is added to zeros. */
  readonly zeroBias: number;
  readonly isSymmetric: boolean; // all zeros are 8
  readonly groupCols: number | undefined; // undefined: all columns
  readonly isOrdered: boolean; // `g_idx` has the group of each column; else it only repeats that groups are consecutive
}

/**
 * Makes a weight of each module with `qweight`, `qzeros` [groups, rows / 8], `scales` [groups, rows], and perhaps `g_idx` [cols].
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
    if (rows % 8 !== 0) throw misshapen(codes, 'a multiple of 8 outputs');
    const groups = Math.ceil(cols / groupCols);
    const scales = parts.take(`${module}.scales`, { dtypes: NIBBLE_SCALES, shape: [groups, rows] });
    const zeros = parts.take(`${module}.qzeros`, { dtypes: ['I32'], shape: [groups, rows / 8] });
    const hasOrder = parts.find(`${module}.g_idx`) !== undefined;
    const order = hasOrder ? parts.take(`${module}.g_idx`, { dtypes: ['I32'], shape: [cols] }) : undefined;
    const matrix = { codes, scales, zeros, order, rows, cols, groups, groupCols, packing };
    const { dtype, compose } = order && packing.isOrdered && groups > 1 ? computed(matrix) : blocks(matrix);
    parts.make(`${module}.weight`, { dtype, rows, cols, source: codes, compose });
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
  const { isSymmetric, zeroShift, zeroBias } = packing;
  return {
    words,
    groupOf,
    scaleOf: (group, row) => factors[group * rows + row] ?? NaN,
    zeroOf(group, row) {
      const stored = ((zeroWords[(group * rows) / 8 + (row >> 3)] ?? 0) >>> zeroShift(row)) & 15;
      const zero = stored + zeroBias;
      if (isSymmetric && zero !== MIDDLE) throw asymmetric(zeros, zero);
      return zero;
    },
  };
}

/** A matrix whose groups are consecutive columns. */
function blocks(matrix: InputMajor) {
  const { scales, order, rows, cols, groupCols, packing } = matrix;
  const dtype = nibbleDtype(scales.info.dtype, packing.isSymmetric);
  const compose = async ({ start, count }: RowRange, read: ReadPart) => {
    const { words, groupOf, scaleOf, zeroOf } = await readMatrix(matrix, read);
    if (order && groupOf?.some((group, col) => group !== Math.floor(col / groupCols))) throw ordered(order);
    const perRow = cols / BLOCK;
    const to = new NibbleBlocks(dtype, count * perRow);
    const own = new Uint8Array(BLOCK / 2);
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

/** A matrix whose columns have groups in any order. */
function computed(matrix: InputMajor) {
  const { scales, order, rows, cols, groups, packing } = matrix;
  const dtype = computedDtype(scales.info.dtype);
  const compose = async ({ start, count }: RowRange, read: ReadPart) => {
    const { words, groupOf = new Uint32Array(), scaleOf, zeroOf } = await readMatrix(matrix, read);
    if (order) checkGroups(order, groupOf, groups);
    const values = new Float32Array(count * cols);
    const own = new Uint8Array(BLOCK / 2);
    for (let row = start; row < start + count; row += 1) {
      for (let col = 0; col < cols; col += 1) {
        if (col % BLOCK === 0) packing.gather(words, row, col / BLOCK, rows, own);
        const group = groupOf[col] ?? 0;
        const code = ((own[(col % BLOCK) >> 1] ?? 0) >> (4 * (col & 1))) & 15;
        values[(row - start) * cols + col] = scaleOf(group, row) * (code - zeroOf(group, row));
      }
    }
    return computedBytes(dtype, values);
  };
  return { dtype, compose };
}

function ordered({ info }: HeldTensor): AtomoeError {
  return new AtomoeError(
    'bad-file',
    `${info.file}: tensor "${info.name}" orders columns by activations, though config.json says desc_act false; wanted groups of ` +
      'consecutive columns; correct config.json, or download both again',
  );
}

function asymmetric({ info }: HeldTensor, zero: number): AtomoeError {
  return new AtomoeError(
    'bad-file',
    `${info.file}: tensor "${info.name}" has the zero point ${zero}, though config.json says sym; wanted ${MIDDLE}; correct ` +
      'config.json, or download both again',
  );
}
