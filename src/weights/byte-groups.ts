/**
 * Shared by formats of one byte for each weight whose 128 columns of a row have a common f32 scale; the last columns of a row may be
 * fewer. A matrix has two planes: all bytes, row-major, then the scales of all rows. shaders/lib/weights-bytes.wgsl reads the
 * same.
 *
 * They come in blocks of 32 weights, each a scale (f32) and its bytes: the first block of a group has the scale of all.
 */
import dot from '../../shaders/lib/dot-bytes.wgsl?raw';
import step from '../../shaders/lib/step-bytes.wgsl?raw';
import unpack from '../../shaders/lib/weights-bytes.wgsl?raw';
import { invariant } from '../errors.ts';
import { defineFormat, type Plane, type Repack, type WeightFormat } from './format.ts';

/** Columns with a common scale. */
export const GROUP = 128;

const BLOCK = 32;
const SCALE_BYTES = 4;

/** A format of this kind. */
export interface ByteKind {
  readonly name: string;
  /** The value of a byte for a scale of 1. */
  readonly value: (byte: number) => number;
  /** A file of shaders/lib by name: `byte_values`. */
  readonly wgsl: Readonly<Record<string, string>>;
  /** Its number in the WebAssembly kernels. */
  readonly simd: number;
}

/** The weight format of a kind. */
export function byteFormat(kind: ByteKind): WeightFormat {
  const values = Float32Array.from({ length: 256 }, (_, byte) => kind.value(byte));
  return defineFormat({
    name: kind.name,
    block: BLOCK,
    unit: 16,
    planes: (rows, cols) => planesOf(kind, rows, cols),
    wgsl: {
      unpack: filesOf({ 'weights-bytes': unpack, ...kind.wgsl }),
      dot: filesOf({ 'dot-bytes': dot }),
      step: filesOf({ 'step-bytes': step }),
      sided: true,
    },
    simd: kind.simd,
    decode: (bytes, rows, cols) => decode(kind, values, bytes, rows, cols),
    repack: (...given) => repack(kind, ...given),
  });
}

function filesOf(texts: Readonly<Record<string, string>>): { name: string; text: string }[] {
  return Object.entries(texts).map(([stem, text]) => ({ name: `lib/${stem}.wgsl`, text }));
}

function planesOf({ name }: ByteKind, rows: number, cols: number): readonly Plane[] {
  invariant(cols % BLOCK === 0, () => `${name}: ${cols} columns are not a multiple of ${BLOCK}`);
  const sizeBytes = rows * cols;
  return [
    { name: 'quants', offsetBytes: 0, sizeBytes },
    { name: 'scales', offsetBytes: sizeBytes, sizeBytes: SCALE_BYTES * rows * Math.ceil(cols / GROUP) },
  ];
}

/** Each product of a value of few bits and an f32 is rounded once, to f32. */
function decode(
  { name }: ByteKind,
  valueOf: Float32Array,
  bytes: Uint8Array<ArrayBuffer>,
  rows: number,
  cols: number,
): Float32Array<ArrayBuffer> {
  const groups = Math.ceil(cols / GROUP);
  const wanted = rows * (cols + SCALE_BYTES * groups);
  invariant(bytes.byteLength === wanted, () => `${name}: ${bytes.byteLength} bytes, not ${wanted}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset + rows * cols);
  const values = new Float32Array(rows * cols);
  for (let row = 0; row < rows; row += 1) {
    for (let group = 0; group < groups; group += 1) {
      const scale = view.getFloat32(SCALE_BYTES * (row * groups + group), true);
      const end = row * cols + Math.min(cols, (group + 1) * GROUP);
      for (let i = row * cols + group * GROUP; i < end; i += 1)
        values[i] = scale * (valueOf[bytes[i] ?? 0] ?? 0);
    }
  }
  return values;
}

function repack(kind: ByteKind, ...[source, rows, cols, into]: Parameters<Repack>): Uint8Array<ArrayBuffer> {
  const blockBytes = SCALE_BYTES + BLOCK;
  const wanted = ((rows * cols) / BLOCK) * blockBytes;
  invariant(source.byteLength === wanted, () => `${kind.name}: ${source.byteLength} bytes, not ${wanted}`);
  const sizeBytes = planesOf(kind, rows, cols).reduce((sum, plane) => sum + plane.sizeBytes, 0);
  const bytes = into ?? new Uint8Array(sizeBytes);
  const blocksOfRow = cols / BLOCK;
  let scaleAt = rows * cols;
  for (let block = 0; block * BLOCK < rows * cols; block += 1) {
    const from = block * blockBytes;
    bytes.set(source.subarray(from + SCALE_BYTES, from + blockBytes), block * BLOCK);
    if ((block % blocksOfRow) % (GROUP / BLOCK) !== 0) continue;
    bytes.set(source.subarray(from, from + SCALE_BYTES), scaleAt);
    scaleAt += SCALE_BYTES;
  }
  return bytes;
}
