/**
 * Shared by formats of nested bit planes: w = s2 (q - z) + s3 b3 + s4 b4, codes q of two bits and signs b of 1 or -1; 128 columns of a
 * row share the scales, the last columns of a row may be fewer. A plane refines what is before it: the bytes of two and of three bits are
 * the first bytes of four. shaders/lib/weights-nested.wgsl and simd/lib/nested.ts read the same.
 *
 *   quants  two bits of each weight, in units of 32: of each 16 a word, in which weight 4 k + b has bits 8 b + 2 k
 *   scales  of each row two words, how many words its row of plane 3 and of plane 4 is behind; then for each group f16 s2 and -s2 z
 *   plane3  of each row a word for each unit, in which weight 4 k + b has bit 8 b + k, set for 1; then f16 s3 of each group
 *   plane4  likewise
 *
 * Rows point to their planes because records hold these behind the base of all their matrices (`record.ts`), and because an expert of fewer
 * bits has none: 0 words behind means absent, so that one dispatch reads experts of different bits.
 */
import halves from '../../shaders/lib/dot-halves.wgsl?raw';
import dotMasked from '../../shaders/lib/dot-masked.wgsl?raw';
import dot from '../../shaders/lib/dot-nested.wgsl?raw';
import planes0 from '../../shaders/lib/planes-0.wgsl?raw';
import planes1 from '../../shaders/lib/planes-1.wgsl?raw';
import planes2 from '../../shaders/lib/planes-2.wgsl?raw';
import columns from '../../shaders/lib/step-columns.wgsl?raw';
import stepMasked from '../../shaders/lib/step-masked.wgsl?raw';
import step from '../../shaders/lib/step-nested.wgsl?raw';
import unpack from '../../shaders/lib/weights-nested.wgsl?raw';
import { AtomoeError, invariant } from '../errors.ts';
import { defineFormat, type Plane, type WeightFormat } from './format.ts';
import { f16ToF32, f32ToF16 } from './half.ts';
import { leveledLayout, putPlanes } from './record-levels.ts';

const UNIT = 32;
const BLOCK = 64; // two units: a load of kernels
const GROUP = 128;
const LINKS = 2; // words at the start of a row of scales
const PLANES = 2; // that refine the base, in the format of most bits

/** How many words the parts of a row take. */
interface RowWords {
  readonly quants: number;
  readonly scales: number;
  readonly plane: number;
}

function rowWords(cols: number): RowWords {
  const groups = Math.ceil(cols / GROUP);
  return { quants: cols / 16, scales: LINKS + groups, plane: cols / UNIT + Math.ceil(groups / 2) };
}

const NAMES = ['nested2', 'nested3', 'nested4'];
const COUNTS = [planes0, planes1, planes2];

/**
 * The format with this many planes above the two bits of the base.
 *
 * @param simd - its number in the WebAssembly kernels
 */
export function nestedFormat(planes: 0 | 1 | 2, simd: number): WeightFormat {
  const name = `nested${2 + planes}`;
  return defineFormat({
    name,
    block: BLOCK,
    unit: UNIT,
    unitBytes: 8,
    levels: NAMES.slice(0, planes + 1),
    records: { leveledLayout, putPlanes },
    planes: (rows, cols) => planesOf(name, planes, rows, cols),
    wgsl: {
      unpack: filesOf({ 'weights-nested': unpack, [`planes-${planes}`]: COUNTS[planes] ?? '' }),
      dot: filesOf({ 'dot-halves': halves, 'dot-masked': dotMasked, 'dot-nested': dot }),
      step: filesOf({ 'step-columns': columns, 'step-masked': stepMasked, 'step-nested': step }),
      sided: true,
    },
    simd,
    decode: (bytes, rows, cols) => decode(planes, bytes, rows, cols),
    encode: (values, rows, cols) => encode(name, planes, values, rows, cols),
    link: (bytes, rows, cols, offsets) => linkRows(bytes, rows, cols, offsets),
  });
}

function filesOf(texts: Readonly<Record<string, string>>): { name: string; text: string }[] {
  return Object.entries(texts).map(([stem, text]) => ({ name: `lib/${stem}.wgsl`, text }));
}

function planesOf(name: string, planes: number, rows: number, cols: number): readonly Plane[] {
  invariant(cols % BLOCK === 0, () => `${name}: ${cols} columns are not a multiple of ${BLOCK}`);
  const words = rowWords(cols);
  const sizes: [string, number][] = [
    ['quants', words.quants],
    ['scales', words.scales],
    ...Array.from({ length: planes }, (_, i): [string, number] => [`plane${3 + i}`, words.plane]),
  ];
  let offsetBytes = 0;
  return sizes.map(([plane, own]) => {
    const sizeBytes = 16 * Math.ceil((rows * own) / 4);
    const at = offsetBytes;
    offsetBytes += sizeBytes;
    return { name: plane, offsetBytes: at, sizeBytes };
  });
}

function wordsOf(bytes: Uint8Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Uint32Array(buffer, byteOffset, byteLength >> 2);
}

/**
 * Writes into the rows of a matrix where their planes are.
 *
 * @param bytes - from the start of the matrix
 * @param offsets - of the planes in bytes, from there; a plane without one is absent
 */
function linkRows(
  bytes: Uint8Array<ArrayBuffer>,
  rows: number,
  cols: number,
  offsets: readonly number[],
): void {
  const { quants, scales, plane } = rowWords(cols);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, rows * (quants + scales));
  const base = scalesAt(rows, quants);
  for (let row = 0; row < rows; row += 1) {
    const at = base + row * scales;
    for (let i = 0; i < PLANES; i += 1) {
      const offset = offsets[i];
      words[at + i] = offset === undefined ? 0 : offset / 4 + row * plane - at;
    }
  }
}

/** The first word of the scales. Rows of quants are whole loads. */
const scalesAt = (rows: number, quants: number) => rows * quants;

/** Values are rounded once, to f32: products and sums are exact in f64. `bytes` may be longer, where planes are elsewhere. */
function decode(
  planes: number,
  bytes: Uint8Array<ArrayBuffer>,
  rows: number,
  cols: number,
): Float32Array<ArrayBuffer> {
  const { quants, scales } = rowWords(cols);
  const words = wordsOf(bytes);
  const wordAt = (at: number) => {
    const word = words[at];
    invariant(word !== undefined, () => `no word ${at} in ${bytes.byteLength} bytes of nested planes`);
    return word;
  };
  const values = new Float32Array(rows * cols);
  const units = cols / UNIT;
  for (let row = 0; row < rows; row += 1) {
    const side = scalesAt(rows, quants) + row * scales;
    const at: number[] = []; // the rows of planes that are there
    for (let i = 0; i < planes; i += 1) {
      const behind = wordAt(side + i);
      if (behind === 0) break;
      at.push(side + behind);
    }
    for (let c = 0; c < cols; c += 1) {
      const [unit, own, group] = [Math.floor(c / UNIT), c % UNIT, Math.floor(c / GROUP)];
      const code = (wordAt(row * quants + (c >> 4)) >>> (8 * (own & 3) + 2 * ((own & 15) >> 2))) & 3;
      const both = wordAt(side + LINKS + group);
      let value = f16ToF32(both & 0xffff) * code + f16ToF32(both >>> 16);
      for (const plane of at) {
        const isSet = (wordAt(plane + unit) >>> (8 * (own & 3) + (own >> 2))) & 1;
        const scale = f16ToF32((wordAt(plane + units + (group >> 1)) >>> (16 * (group & 1))) & 0xffff);
        value += isSet === 1 ? scale : -scale;
      }
      values[row * cols + c] = value;
    }
  }
  return values;
}

/** The parts of smallest and largest values between which a base of two bits is tried. */
const CLIPS = [1, 0.8, 0.62, 0.48];

/** What a group of columns becomes. */
interface Group {
  readonly codes: Uint8Array; // bits 0 and 1: q; bits 2 and 3: set for 1 in planes 3 and 4
  readonly scales: Uint16Array; // f16 bits of s2, -s2 z, s3 and s4
}

/**
 * Each plane has the signs of what is left by those before it, and as its scale the mean of its magnitudes, which leaves the least. Of the
 * ranges tried for the base that is taken for which the product of the errors of two, three and four bits is least, so that none is favoured.
 * Planes do not depend on how many are kept.
 */
function encode(
  name: string,
  planes: number,
  values: Float32Array<ArrayBuffer>,
  rows: number,
  cols: number,
): Uint8Array<ArrayBuffer> {
  invariant(values.length === rows * cols, () => `${name}: ${values.length} values, not ${rows} x ${cols}`);
  const places = planesOf(name, planes, rows, cols);
  const [quantsPlane, , ...refinements] = places;
  invariant(quantsPlane, () => `${name} has no planes`);
  const bytes = new Uint8Array(places.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  const starts = refinements.map(({ offsetBytes }) => offsetBytes);
  linkRows(bytes, rows, cols, starts);
  const out = new NestedWriter(wordsOf(bytes), rows, cols, starts);
  const best = emptyGroup();
  for (let row = 0; row < rows; row += 1) {
    for (let first = 0; first < cols; first += GROUP) {
      const own = values.subarray(row * cols + first, row * cols + Math.min(first + GROUP, cols));
      quantise(own, best);
      assertFinite(name, best, row);
      out.put(row, first, own.length, best);
    }
  }
  return bytes;
}

const emptyGroup = () => ({ codes: new Uint8Array(GROUP), scales: new Uint16Array(4) });

function assertFinite(name: string, { scales }: Group, row: number): void {
  if (!scales.some((bits) => (bits & 0x7c00) === 0x7c00)) return;
  throw new AtomoeError(
    'non-finite',
    `row ${row} cannot be stored as ${name}: its values exceed 65504, which is what f16 holds; load the model without quantize`,
  );
}

/** Writes groups into the words of a matrix. */
class NestedWriter {
  readonly #words: Uint32Array<ArrayBuffer>;
  readonly #row: RowWords;
  readonly #scalesAt: number;
  readonly #units: number;
  readonly #starts: readonly number[]; // words of the planes

  constructor(words: Uint32Array<ArrayBuffer>, rows: number, cols: number, starts: readonly number[]) {
    this.#words = words;
    this.#row = rowWords(cols);
    this.#scalesAt = scalesAt(rows, this.#row.quants);
    this.#units = cols / UNIT;
    this.#starts = starts.map((bytes) => bytes / 4);
  }

  put(row: number, first: number, count: number, { codes, scales }: Group): void {
    const words = this.#words;
    const { quants, scales: scaleWords, plane } = this.#row;
    const group = first / GROUP;
    words[this.#scalesAt + row * scaleWords + LINKS + group] = (scales[0] ?? 0) | ((scales[1] ?? 0) << 16);
    for (let i = 0; i < count; i += 16) this.#putPairs(row * quants + (first + i) / 16, codes, i);
    for (const [index, start] of this.#starts.entries()) {
      const at = start + row * plane;
      for (let i = 0; i < count; i += UNIT) {
        words[at + (first + i) / UNIT] = signsOf(codes, i, 2 + index);
      }
      const scaleAt = at + this.#units + (group >> 1);
      words[scaleAt] = (words[scaleAt] ?? 0) | ((scales[2 + index] ?? 0) << (16 * (group & 1)));
    }
  }

  #putPairs(at: number, codes: Uint8Array, first: number): void {
    let word = 0;
    for (let i = 0; i < 16; i += 1) word |= ((codes[first + i] ?? 0) & 3) << (8 * (i & 3) + 2 * (i >> 2));
    this.#words[at] = word;
  }
}

function signsOf(codes: Uint8Array, first: number, bit: number): number {
  let word = 0;
  for (let i = 0; i < UNIT; i += 1)
    word |= (((codes[first + i] ?? 0) >> bit) & 1) << (8 * (i & 3) + (i >> 2));
  return word;
}

const tried = emptyGroup();

function quantise(values: Float32Array, best: Group): void {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  let least = Infinity;
  for (const clip of CLIPS) {
    const cost = quantiseWithin(values, middle(low, high, clip), clip * (high - low), tried);
    if (cost >= least) continue;
    least = cost;
    best.codes.set(tried.codes);
    best.scales.set(tried.scales);
  }
}

/** The lower end of a range of which a part is kept, at both ends alike. */
const middle = (low: number, high: number, clip: number) => low + ((1 - clip) / 2) * (high - low);

const rest = new Float64Array(GROUP);

/** @returns the sum of the logarithms of the squared errors of two, three and four bits */
function quantiseWithin(values: Float32Array, low: number, range: number, to: Group): number {
  const [stepBits, lowBits] = [f32ToF16(Math.fround(range / 3)), f32ToF16(Math.fround(low))];
  const [step, start] = [f16ToF32(stepBits), f16ToF32(lowBits)];
  to.scales[0] = stepBits;
  to.scales[1] = lowBits;
  const inverse = step === 0 ? 0 : 1 / step;
  let sum = 0;
  let square = 0;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] ?? 0;
    const code = Math.max(0, Math.min(3, Math.round((value - start) * inverse)));
    const left = value - (start + step * code);
    to.codes[i] = code;
    rest[i] = left;
    sum += Math.abs(left);
    square += left * left;
  }
  let cost = logOf(square);
  for (let plane = 2; plane < 2 + PLANES; plane += 1) {
    const bits = f32ToF16(Math.fround(sum / values.length));
    const scale = f16ToF32(bits);
    to.scales[plane] = bits;
    sum = 0;
    square = 0;
    for (let i = 0; i < values.length; i += 1) {
      const before = rest[i] ?? 0;
      const left = before < 0 ? before + scale : before - scale;
      if (before >= 0) to.codes[i] = (to.codes[i] ?? 0) | (1 << plane);
      rest[i] = left;
      sum += Math.abs(left);
      square += left * left;
    }
    cost += logOf(square);
  }
  return cost;
}

const logOf = (square: number) => Math.log(square + Number.MIN_VALUE);
