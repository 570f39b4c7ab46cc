/** Codes of four bits whose tensor begins with the inputs, as those of GPTQ and AWQ: [cols, rows] of the matrix. */
import { AtomoeError } from '../../errors.ts';
import { toF32 } from '../../weights/dtypes.ts';
import type { HeldTensor, ReadPart, RowRange } from '../tensor-files.ts';
import { BLOCK, MIDDLE, NIBBLE_SCALES, nibbleDtype, NibbleBlocks, wordsOf } from './nibbles.ts';
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
    const matrix = { codes, scales, zeros, order, rows, cols, groupCols, packing };
    parts.make(`${module}.weight`, {
      dtype: nibbleDtype(scales.info.dtype, packing.isSymmetric),
      rows,
      cols,
      source: codes,
      compose: (range, read) => readRows(matrix, range, read),
    });
  }
}

interface InputMajor {
  readonly codes: HeldTensor;
  readonly scales: HeldTensor;
  readonly zeros: HeldTensor;
  readonly order: HeldTensor | undefined;
  readonly rows: number;
  readonly cols: number;
  readonly groupCols: number;
  readonly packing: Packing;
}

/** Rows are columns of the file, which is read whole for them: those of experts are asked for whole. */
async function readRows(
  { codes, scales, zeros, order, rows, cols, groupCols, packing }: InputMajor,
  { start, count }: RowRange,
  read: ReadPart,
): Promise<Uint8Array<ArrayBuffer>> {
  const [words, scaleBytes, zeroWords, groupOf] = await Promise.all([
    read(codes).then(wordsOf),
    read(scales),
    read(zeros).then(wordsOf),
    order && read(order).then(wordsOf),
  ]);
  if (order && groupOf?.some((group, col) => group !== Math.floor(col / groupCols))) throw ordered(order);
  const factors = toF32(scales.info.dtype === 'F16' ? 'F16' : 'BF16', scaleBytes);
  const dtype = nibbleDtype(scales.info.dtype, packing.isSymmetric);
  const blocks = cols / BLOCK;
  const to = new NibbleBlocks(dtype, count * blocks);
  const own = new Uint8Array(BLOCK / 2);
  for (let row = start; row < start + count; row += 1) {
    const shift = packing.zeroShift(row);
    for (let block = 0; block < blocks; block += 1) {
      const group = Math.floor((block * BLOCK) / groupCols);
      const stored = ((zeroWords[(group * rows) / 8 + (row >> 3)] ?? 0) >>> shift) & 15;
      const zero = stored + packing.zeroBias;
      if (packing.isSymmetric && zero !== MIDDLE) throw asymmetric(zeros, zero);
      packing.gather(words, row, block, rows, own);
      to.set((row - start) * blocks + block, factors[group * rows + row] ?? NaN, zero, own, 0);
    }
  }
  return to.bytes;
}

function ordered({ info }: HeldTensor): AtomoeError {
  return new AtomoeError(
    'unsupported-model',
    `${info.file}: tensor "${info.name}" orders columns by activations; wanted groups of consecutive columns; choose a ` +
      'version of the model with desc_act false',
  );
}

function asymmetric({ info }: HeldTensor, zero: number): AtomoeError {
  return new AtomoeError(
    'bad-file',
    `${info.file}: tensor "${info.name}" has the zero point ${zero}, though config.json says sym; wanted ${MIDDLE}; correct ` +
      'config.json, or download both again',
  );
}
