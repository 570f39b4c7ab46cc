/**
 * Floats of four bits (E2M1) of compressed-tensors: `weight_packed` U8 [rows, cols / 2], the even column in the low nibble. NVFP4
 * has a scale in E4M3 for each 16 columns, and `weight_global_scale`, which scales are divided by; MXFP4 an exponent for
 * each 32. How activations are quantised does not matter: only weights are.
 */
import { AtomoeError } from '../../errors.ts';
import { BLOCK_DTYPES, toF32 } from '../../weights/dtypes.ts';
import type { HeldTensor, ReadPart, RowRange } from '../tensor-files.ts';
import { pairHalves } from './nibbles.ts';
import { misshapen, type Parts } from './parts.ts';

const NV = BLOCK_DTYPES.F4_G16;
const NV_GROUP = 16;
const MX = BLOCK_DTYPES.MXFP4;
const SCALES_AT = 4; // behind the factor
const NIBBLES_AT = 8;

/** Makes a weight of each module in NVFP4. */
export function addNvfp4(parts: Parts): void {
  for (const module of parts.stems('.weight_packed')) {
    const { codes, rows, cols } = takeCodes(parts, module);
    const shape = [rows, Math.ceil(cols / NV_GROUP)];
    const scales = parts.take(`${module}.weight_scale`, { dtypes: ['F8_E4M3'], shape });
    const divisor = takeOne(parts, `${module}.weight_global_scale`);
    const compose = (range: RowRange, read: ReadPart) =>
      readNvfp4({ codes, scales, divisor, cols }, range, read);
    parts.make(`${module}.weight`, { dtype: 'F4_G16', rows, cols, source: codes, compose });
  }
}

/** Makes a weight of each module in MXFP4. */
export function addMxfp4(parts: Parts): void {
  for (const module of parts.stems('.weight_packed')) {
    const { codes, rows, cols } = takeCodes(parts, module);
    const shape = [rows, Math.ceil(cols / MX.block)];
    const scales = parts.take(`${module}.weight_scale`, { dtypes: ['U8', 'F8_E8M0'], shape });
    const compose = async (range: RowRange, read: ReadPart) =>
      mxfp4Blocks(await read(codes, range), await read(scales, range));
    parts.make(`${module}.weight`, { dtype: 'MXFP4', rows, cols, source: codes, compose });
  }
}

/** The codes of a module; what only activations need is left out. */
function takeCodes(parts: Parts, module: string) {
  const codes = parts.take(`${module}.weight_packed`, { dtypes: ['U8'], shape: [-1, -1] });
  const [rows = 0, bytes = 0] = codes.info.shape;
  for (const name of ['weight_shape', 'weight_zero_point', 'input_scale', 'input_global_scale'])
    parts.drop(`${module}.${name}`);
  return { codes, rows, cols: 2 * bytes };
}

/** One number, as a vector or without dimensions. */
function takeOne(parts: Parts, name: string): HeldTensor {
  const shape = (parts.find(name)?.info.shape ?? []).map(() => -1);
  const held = parts.take(name, { dtypes: ['F32'], shape });
  if (held.info.sizeBytes !== 4) throw misshapen(held, '[1]');
  return held;
}

interface Nvfp4Matrix {
  readonly codes: HeldTensor;
  readonly scales: HeldTensor;
  readonly divisor: HeldTensor;
  readonly cols: number;
}

/** Rows as blocks of the weight format, whose factor is negative where it is a divisor. */
async function readNvfp4(
  { codes, scales, divisor, cols }: Nvfp4Matrix,
  rows: RowRange,
  read: ReadPart,
): Promise<Uint8Array<ArrayBuffer>> {
  const [nibbles, bytes, one] = await Promise.all([read(codes, rows), read(scales, rows), read(divisor)]);
  const by = toF32('F32', one)[0] ?? NaN;
  if (!(by > 0)) throw unlikely(divisor, `${by}; a number above 0 is wanted`);
  const negative = bytes.findIndex((scale) => scale > 0x80);
  if (negative >= 0)
    throw unlikely(scales, `a negative scale at ${negative}; scales of 0 and more are wanted`);
  const blocks = (rows.count * cols) / NV.block;
  const to = new Uint8Array(blocks * NV.sizeBytes);
  const view = new DataView(to.buffer);
  for (let block = 0; block < blocks; block += 1) {
    const at = block * NV.sizeBytes;
    view.setFloat32(at, -by, true);
    to.set(bytes.subarray(4 * block, 4 * block + 4), at + SCALES_AT);
    for (let group = 0; group < 4; group += 1)
      pairQuarters(nibbles, 32 * block + 8 * group, to, at + NIBBLES_AT + 8 * group);
  }
  return to;
}

function unlikely({ info: { file, name } }: HeldTensor, what: string): AtomoeError {
  return new AtomoeError('bad-file', `${file}: tensor "${name}" has ${what}; download the file again`);
}

/** Rearranges 16 weights of four bits in order to eight bytes, of which byte j has weights j and j + 8. */
function pairQuarters(source: Uint8Array, from: number, to: Uint8Array, at: number): void {
  for (let j = 0; j < 4; j += 1) {
    const low = source[from + j] ?? 0;
    const high = source[from + 4 + j] ?? 0;
    to[at + 2 * j] = (low & 15) | ((high & 15) << 4);
    to[at + 2 * j + 1] = (low >> 4) | (high & 0xf0);
  }
}

/** Blocks as of ggml. */
function mxfp4Blocks(nibbles: Uint8Array, exponents: Uint8Array): Uint8Array<ArrayBuffer> {
  const to = new Uint8Array(exponents.length * MX.sizeBytes);
  for (const [block, exponent] of exponents.entries()) {
    const at = block * MX.sizeBytes;
    to[at] = exponent;
    pairHalves(nibbles, (block * MX.block) / 2, to, at + 1);
  }
  return to;
}
