/**
 * compressed-tensors: weights of four or eight bits with a scale for each group of columns, row or block. Four bits and some of
 * eight are packed in order into `weight_packed` I32 [rows, cols * bits / 32], from the lowest bits on, with 2^(bits - 1) added;
 * zero points likewise, along rows. Others are `weight`, in I8 or F8_E4M3. Floats of four bits: fp4.ts.
 */
import type { JsonObject } from '../../io/json-file.ts';
import type { HeldTensor, Quantization, ReadPart, RowRange } from '../tensor-files.ts';
import { readByteRows, SCALED_COLS } from './byte-rows.ts';
import { addMxfp4, addNvfp4 } from './fp4.ts';
import { addFloats } from './fp8.ts';
import { BLOCK, MIDDLE, NIBBLE_SCALES, nibbleDtype, NibbleBlocks, wordsOf } from './nibbles.ts';
import { checkGroups, codeAt, computedBytes, computedDtype } from './ordered.ts';
import { Parts } from './parts.ts';
import { readScales, takeScales, type ScaleGrid } from './scales.ts';
import { Settings } from './settings.ts';

/** How the weights of all modules are stored. */
interface Scheme {
  readonly kind: 'nvfp4' | 'mxfp4' | 'nibbles' | 'packed bytes' | 'bytes' | 'floats';
  readonly isSymmetric: boolean;
  /** Rows and columns that share a scale; undefined: a row, or all. */
  readonly block: readonly [rows: number, cols: number] | undefined;
}

/** @throws {AtomoeError} unsupported-model - a kind of weights that is not read, or several kinds */
export function compressedTensors(values: JsonObject, where: string): Quantization {
  const settings = new Settings(values, where);
  if (settings.get('format') === 'dense') return (opened) => opened;
  settings.section('sparsity_config').oneOf('format', ['dense']);
  // Rotations that are computed while a model runs: without them its numbers would be wrong.
  if (settings.section('transform_config').section('config_groups').keys().length > 0)
    return settings.unsupported('transform_config', 'weights without transforms');
  const scheme = schemeOf(settings);
  return (opened, label) => {
    const parts = new Parts(opened, label);
    parts.lose('.weight_packed', (module) => `${module}.weight`);
    if (scheme.kind === 'nvfp4') addNvfp4(parts);
    else if (scheme.kind === 'mxfp4') addMxfp4(parts);
    else if (scheme.kind === 'floats') addFloats(parts, 'weight_scale', scheme.block);
    else if (scheme.kind === 'bytes') addBytes(parts, scheme, 'weight');
    else if (scheme.kind === 'packed bytes') addBytes(parts, scheme, 'weight_packed');
    else addNibbles(parts, scheme);
    return parts.done();
  };
}

/** What all groups of modules have in common. */
function schemeOf(settings: Settings): Scheme {
  const groups = settings.section('config_groups');
  const schemes = groups.keys().map((key) => schemeOfGroup(groups.section(key), settings));
  const [first] = schemes;
  if (!first) return settings.unsupported('config_groups', 'a group');
  if (schemes.some((each) => JSON.stringify(each) !== JSON.stringify(first)))
    settings.unsupported('config_groups', 'groups whose weights are alike');
  return first;
}

function schemeOfGroup(group: Settings, settings: Settings): Scheme {
  const weights = group.section('weights');
  const format = (group.get('format') === undefined ? settings : group).oneOf('format', [
    'pack-quantized',
    'int-quantized',
    'float-quantized',
    'naive-quantized',
    'nvfp4-pack-quantized',
    'mxfp4-pack-quantized',
  ]);
  if (format === 'nvfp4-pack-quantized' || format === 'mxfp4-pack-quantized')
    return schemeOfFp4(format === 'nvfp4-pack-quantized', weights);
  const bits = weights.oneOf('num_bits', [8, 4]);
  const isFloat = weights.oneOf('type', ['int', 'float']) === 'float';
  const isPacked = format === 'pack-quantized';
  if ((isFloat && (bits === 4 || isPacked)) || (bits === 4 && !isPacked))
    weights.unsupported(
      'num_bits',
      `other weights than ${isFloat ? 'floats' : 'integers'} that are ${format}`,
    );
  const isSymmetric = weights.oneOf('symmetric', isFloat ? [true] : [true, false]);
  const orders = [false, 'weight', 'static', ...(isFloat ? [] : [true, 'group', 'dynamic'])] as const;
  weights.oneOf<boolean | string>('actorder', orders);
  if (!isSymmetric) weights.oneOf('strategy', ['group', 'channel']);
  const kind = bits === 4 ? 'nibbles' : isFloat ? 'floats' : isPacked ? 'packed bytes' : 'bytes';
  return { kind, isSymmetric, block: blockOf(weights, bits === 4 ? BLOCK : SCALED_COLS) };
}

/** Of the settings, those that the name of a format of floats of four bits says already. */
function schemeOfFp4(isNv: boolean, weights: Settings): Scheme {
  weights.oneOf('num_bits', [4]);
  weights.oneOf('type', ['float']);
  weights.oneOf('symmetric', [true]);
  weights.oneOf('strategy', isNv ? ['tensor_group', 'group'] : ['group']);
  weights.oneOf('group_size', [isNv ? 16 : 32]);
  weights.oneOf<boolean | string>('actorder', [false, 'weight', 'static']);
  return { kind: isNv ? 'nvfp4' : 'mxfp4', isSymmetric: true, block: undefined };
}

/** @param step - the multiple of columns that share a scale */
function blockOf(weights: Settings, step: number): Scheme['block'] {
  const strategy = weights.oneOf('strategy', ['tensor', 'channel', 'group', 'block']);
  if (strategy === 'block') return weights.block('block_structure', step);
  const size = strategy === 'group' ? weights.size('group_size', step) : undefined;
  return size === undefined ? undefined : [1, size];
}

function addBytes(parts: Parts, { block, isSymmetric }: Scheme, suffix: 'weight' | 'weight_packed'): void {
  const isPacked = suffix === 'weight_packed';
  const stored = isPacked ? 'I32' : 'I8';
  for (const module of parts.stems(`.${suffix}`)) {
    const name = `${module}.${suffix}`;
    if (!isPacked && parts.find(name)?.info.dtype !== stored) continue; // in 16 bits
    const codes = parts.take(name, { dtypes: [stored], shape: [-1, -1] });
    const [rows = 0, elements = 0] = codes.info.shape;
    const cols = isPacked ? 4 * elements : elements;
    const scales = takeScales(parts, `${module}.weight_scale`, { rows, cols }, { block });
    const order = takeOrder(parts, module, cols);
    const zeros = isSymmetric ? undefined : takeByteZeros(parts, module, scales, { rows, isPacked });
    dropOthers(parts, module);
    const flip = isPacked ? 0x80 : 0;
    const { dtype, compose } =
      zeros || (order && scales.gridCols > 1)
        ? computed({ scales, order, cols }, (range, read) =>
            readBytes({ codes, scales, zeros, flip }, range, read),
          )
        : {
            dtype: 'I8_G128' as const,
            compose: (range: RowRange, read: ReadPart) =>
              readByteRows({ codes, scales, cols, flip }, range, read),
          };
    parts.make(`${module}.weight`, { dtype, rows, cols, source: codes, compose });
  }
}

/** Zero points of bytes: signed, [rows, groups]; or with 128 added and four rows in a word. */
function takeByteZeros(
  parts: Parts,
  module: string,
  { held, gridCols }: ScaleGrid,
  { rows, isPacked }: { readonly rows: number; readonly isPacked: boolean },
): HeldTensor {
  const wanted = isPacked
    ? ({ dtypes: ['I32'], shape: [Math.ceil(rows / 4), gridCols] } as const)
    : ({ dtypes: ['I8'], shape: held.info.shape } as const);
  return parts.take(`${module}.weight_zero_point`, wanted);
}

/** Bytes of rows in memory; the first of them is row 0. */
interface ByteParts {
  readonly codes: HeldTensor;
  readonly scales: ScaleGrid;
  readonly zeros: HeldTensor | undefined;
  readonly flip: number; // of codes and zeros, to make them signed
}

async function readBytes(
  { codes, scales, zeros, flip }: ByteParts,
  rows: RowRange,
  read: ReadPart,
): Promise<ReadCodes> {
  const perWord = flip === 0 ? 1 : 4;
  const first = Math.floor(rows.start / perWord);
  const count = Math.ceil((rows.start + rows.count) / perWord) - first;
  const [bytes, { values, at }, zeroBytes] = await Promise.all([
    read(codes, rows),
    readScales(scales, rows, read),
    zeros && read(zeros, { start: first, count }),
  ]);
  const signed = (byte = flip) => ((byte ^ flip) << 24) >> 24;
  return {
    codeOf: (i) => signed(bytes[i]),
    scaleOf: (row, group) => values[at(row) + group] ?? NaN,
    zeroOf(row, group) {
      const own = rows.start + row;
      const word = (Math.floor(own / perWord) - first) * scales.gridCols + group;
      return signed(zeroBytes?.[word * perWord + (own % perWord)]);
    },
  };
}

function addNibbles(parts: Parts, { block, isSymmetric }: Scheme): void {
  for (const module of parts.stems('.weight_packed')) {
    const codes = parts.take(`${module}.weight_packed`, { dtypes: ['I32'], shape: [-1, -1] });
    const [rows = 0, words = 0] = codes.info.shape;
    const cols = 8 * words;
    const how = { block, dtypes: NIBBLE_SCALES };
    const scales = takeScales(parts, `${module}.weight_scale`, { rows, cols }, how);
    const order = takeOrder(parts, module, cols);
    const shape = [Math.ceil(rows / 8), scales.gridCols];
    const zeros = isSymmetric
      ? undefined
      : parts.take(`${module}.weight_zero_point`, { dtypes: ['I32'], shape });
    dropOthers(parts, module);
    const matrix = { codes, scales, zeros, order, cols };
    const { dtype, compose } =
      order && scales.gridCols > 1
        ? computed(matrix, (range, read) => readNibbles(matrix, range, read))
        : blocks(matrix, isSymmetric);
    parts.make(`${module}.weight`, { dtype, rows, cols, source: codes, compose });
  }
}

interface NibbleMatrix {
  readonly codes: HeldTensor;
  readonly scales: ScaleGrid;
  readonly zeros: HeldTensor | undefined;
  readonly order: HeldTensor | undefined;
  readonly cols: number;
}

/** Codes, scales and zeros of rows in memory; the first of them is row 0. */
interface ReadCodes {
  readonly codeOf: (i: number) => number;
  readonly scaleOf: (row: number, group: number) => number;
  readonly zeroOf: (row: number, group: number) => number;
}

/** Rows of the parts in memory; the first of them is row 0. */
async function readNibbles({ codes, scales, zeros }: NibbleMatrix, rows: RowRange, read: ReadPart) {
  const firstWord = rows.start >> 3;
  const words = ((rows.start + rows.count + 7) >> 3) - firstWord;
  const [bytes, { values, at }, packed] = await Promise.all([
    read(codes, rows),
    readScales(scales, rows, read),
    zeros && read(zeros, { start: firstWord, count: words }).then(wordsOf),
  ]);
  return {
    bytes,
    codeOf: (i: number) => codeAt(bytes, 4, i),
    scaleOf: (row: number, group: number) => values[at(row) + group] ?? NaN,
    zeroOf(row: number, group: number) {
      const zeroRow = rows.start + row;
      const eight = packed?.[((zeroRow >> 3) - firstWord) * scales.gridCols + group];
      return eight === undefined ? MIDDLE : (eight >>> (4 * (zeroRow & 7))) & 15;
    },
  };
}

/** A matrix whose groups are consecutive columns. */
function blocks(matrix: NibbleMatrix, isSymmetric: boolean) {
  const { scales, cols } = matrix;
  const dtype = nibbleDtype(scales.held.info.dtype, isSymmetric);
  const compose = async (rows: RowRange, read: ReadPart) => {
    const { bytes, scaleOf, zeroOf } = await readNibbles(matrix, rows, read);
    const perRow = cols / BLOCK;
    const to = new NibbleBlocks(dtype, rows.count * perRow);
    for (let block = 0; block < rows.count * perRow; block += 1) {
      const row = Math.floor(block / perRow);
      const group = Math.floor(((block % perRow) * BLOCK) / scales.groupCols);
      to.set(block, scaleOf(row, group), zeroOf(row, group), bytes, (block * BLOCK) / 2);
    }
    return to.bytes;
  };
  return { dtype, compose };
}

/** A matrix that no block type holds; a column in group -1 means that there is no order. */
function computed(
  { scales, order, cols }: Pick<NibbleMatrix, 'scales' | 'order' | 'cols'>,
  readCodes: (rows: RowRange, read: ReadPart) => Promise<ReadCodes>,
) {
  const dtype = computedDtype(scales.held.info.dtype);
  const compose = async (rows: RowRange, read: ReadPart) => {
    const [{ codeOf, scaleOf, zeroOf }, given] = await Promise.all([
      readCodes(rows, read),
      order && read(order).then(wordsOf),
    ]);
    const groupOf = given?.includes(NO_GROUP) ? undefined : given;
    if (order && groupOf) checkGroups(order, groupOf, scales.gridCols);
    const values = new Float32Array(rows.count * cols);
    for (let i = 0; i < values.length; i += 1) {
      const [row, col] = [Math.floor(i / cols), i % cols];
      const group = groupOf?.[col] ?? Math.floor(col / scales.groupCols);
      values[i] = scaleOf(row, group) * (codeOf(i) - zeroOf(row, group));
    }
    return computedBytes(dtype, values);
  };
  return { dtype, compose };
}

/** The group of each column, where the file has it. */
function takeOrder(parts: Parts, module: string, cols: number): HeldTensor | undefined {
  const name = `${module}.weight_g_idx`;
  return parts.find(name) && parts.take(name, { dtypes: ['I32'], shape: [cols] });
}

/** -1 as of an order that was never set. */
const NO_GROUP = 0xffffffff;

/** Leaves out what the others say already, and zero points that are 0. */
function dropOthers(parts: Parts, module: string): void {
  for (const name of ['weight_shape', 'weight_zero_point', 'input_scale']) parts.drop(`${module}.${name}`);
}
