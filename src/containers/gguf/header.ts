/**
 * The header of a GGUF file, versions 2 and 3: magic, version, counts, metadata, then the tensors' names, shapes, types and
 * places. Numbers are little-endian; the data begins at the next multiple of `general.alignment`.
 */
import { AtomoeError } from '../../errors.ts';
import { readExactly } from '../../io/read.ts';
import type { FileSource, ReadOptions } from '../../io/source.ts';
import type { StoredDtype } from '../../weights/dtypes.ts';
import { Cursor, NeedsMore } from './cursor.ts';
import { ggmlType, ggmlTypeName, rowBytes } from './types.ts';

/** A value of the metadata. Integers beyond 2^53 are refused. */
export type GgufValue = string | number | boolean | readonly GgufValue[];

/** The metadata by key. */
export type GgufMetadata = ReadonlyMap<string, GgufValue>;

/** Where a tensor is stored, and as what. */
export interface GgufTensor {
  readonly dtype: StoredDtype;
  readonly shape: readonly number[]; // row-major: the last is the row's
  readonly offsetBytes: number; // from the start of the file
  readonly sizeBytes: number;
}

/** The parsed header of a GGUF file. */
export interface GgufHeader {
  readonly version: number;
  readonly metadata: GgufMetadata;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

const FIRST_READ_BYTES = 2 ** 16;
const MOST_HEADER_BYTES = 2 ** 28; // vocabularies take megabytes
const MOST_TENSORS = 2 ** 20;
const MOST_KEYS = 2 ** 16;
const MOST_ELEMENTS = 2 ** 23; // of all lists: a vocabulary has three of 2^18, and merges
const MOST_DIMENSIONS = 4;
const DEFAULT_ALIGNMENT = 32;
const ADVICE = 'the file is damaged or not GGUF, download it again';

/** Types of values by number; 8 is a string, 9 an array. */
const READERS: Readonly<Record<number, (cursor: Cursor) => number | boolean>> = {
  0: (cursor) => cursor.u8(),
  1: (cursor) => cursor.i8(),
  2: (cursor) => cursor.u16(),
  3: (cursor) => cursor.i16(),
  4: (cursor) => cursor.u32(),
  5: (cursor) => cursor.i32(),
  6: (cursor) => cursor.f32(),
  7: (cursor) => cursor.u8() !== 0,
  10: (cursor) => cursor.u64(),
  11: (cursor) => cursor.i64(),
  12: (cursor) => cursor.f64(),
};
const STRING = 8;
const ARRAY = 9;

interface RawTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: StoredDtype;
  readonly offsetBytes: number; // from the start of the data
}

/**
 * Reads and checks a header, and nothing else of the file.
 *
 * @throws {AtomoeError} bad-file - wrong magic, count, length, type, offset or alignment; tensors overlap, leave gaps or reach past the end;
 *   a name occurs twice; unsupported-model - another version, or a quantisation that cannot be read
 */
export async function readGgufHeader(file: FileSource, options: ReadOptions = {}): Promise<GgufHeader> {
  const cursor = new Cursor();
  /** Reads more of the file whenever a parse runs out of bytes; what was parsed before stays. */
  const take = async <T>(parse: () => T): Promise<T> => {
    for (;;) {
      const start = cursor.at;
      try {
        return parse();
      } catch (error) {
        if (!(error instanceof NeedsMore)) throw error;
        cursor.at = start;
        await grow(file, cursor, error.endBytes, options);
      }
    }
  };
  const { version, tensorCount, keyCount } = await take(() => parseStart(file, cursor));
  const metadata = new Map<string, GgufValue>();
  let elements = 0;
  for (let i = 0; i < keyCount; i += 1) {
    const [key, value] = await take(() => parsePair(file, cursor));
    if (Array.isArray(value)) elements += value.length;
    if (elements > MOST_ELEMENTS)
      throw bad(file, `its lists have ${elements} elements, at most ${MOST_ELEMENTS} are allowed`);
    if (metadata.has(key)) throw bad(file, `the key ${show(key)} occurs twice, once is wanted`);
    metadata.set(key, value);
  }
  const raw: RawTensor[] = [];
  for (let i = 0; i < tensorCount; i += 1) raw.push(await take(() => parseTensor(file, cursor)));
  const alignment = alignmentOf(file, metadata);
  const dataOffset = Math.ceil(cursor.at / alignment) * alignment;
  return { version, metadata, tensors: place(file, raw, dataOffset, alignment) };
}

async function grow(file: FileSource, cursor: Cursor, wanted: number, options: ReadOptions): Promise<void> {
  const have = cursor.bytes.byteLength;
  if (wanted > file.sizeBytes) {
    throw bad(file, `its header goes on at byte ${have}, where the file ends; it is truncated`);
  }
  if (wanted > MOST_HEADER_BYTES)
    throw bad(file, `its header is longer than the ${MOST_HEADER_BYTES} bytes that are read`);
  const size = Math.min(file.sizeBytes, Math.max(FIRST_READ_BYTES, 2 * have, wanted));
  const more = await readExactly(file, have, size - have, { ...options, isPeek: true });
  cursor.append(more);
}

function parseStart(file: FileSource, cursor: Cursor) {
  const magic = cursor.u32();
  if (magic !== 0x46554747) throw bad(file, `it begins with ${show(cursor.ascii(0, 4))}, "GGUF" is wanted`);
  const version = cursor.u32();
  if (version !== 2 && version !== 3) {
    const what = version > 0xffff ? ' (big-endian)' : '';
    throw new AtomoeError(
      'unsupported-model',
      `${file.name}: it is GGUF version ${version}${what}, little-endian 2 or 3 is wanted; convert the model with a newer ` +
        'program',
    );
  }
  const tensorCount = cursor.u64();
  const keyCount = cursor.u64();
  if (tensorCount > MOST_TENSORS)
    throw bad(file, `it claims ${tensorCount} tensors, at most ${MOST_TENSORS} are allowed`);
  if (keyCount > MOST_KEYS) throw bad(file, `it claims ${keyCount} keys, at most ${MOST_KEYS} are allowed`);
  return { version, tensorCount, keyCount };
}

function parsePair(file: FileSource, cursor: Cursor): readonly [string, GgufValue] {
  const key = parseString(file, cursor, 'a key');
  return [key, parseValue(file, cursor, cursor.u32(), key)];
}

function parseString(file: FileSource, cursor: Cursor, what: string): string {
  const sizeBytes = cursor.u64();
  if (sizeBytes > MOST_HEADER_BYTES) throw bad(file, `${what} claims a text of ${sizeBytes} bytes`);
  return cursor.text(sizeBytes);
}

function parseValue(file: FileSource, cursor: Cursor, type: number, key: string): GgufValue {
  if (type === STRING) return parseString(file, cursor, show(key));
  if (type === ARRAY) return parseArray(file, cursor, key);
  const read = READERS[type];
  if (!read) throw bad(file, `the value of ${show(key)} has the type ${type}, 0 to 12 are known`);
  const value = read(cursor);
  if (Number.isNaN(value)) throw bad(file, `the value of ${show(key)} is no number`);
  return value;
}

function parseArray(file: FileSource, cursor: Cursor, key: string): readonly GgufValue[] {
  const type = cursor.u32();
  const count = cursor.u64();
  if (type === ARRAY || (type !== STRING && !READERS[type])) {
    throw bad(
      file,
      `the list ${show(key)} has elements of type ${type}, numbers, booleans or texts are wanted`,
    );
  }
  if (count > MOST_ELEMENTS)
    throw bad(file, `the list ${show(key)} claims ${count} elements, at most ${MOST_ELEMENTS} are allowed`);
  const values: GgufValue[] = [];
  for (let i = 0; i < count; i += 1) values.push(parseValue(file, cursor, type, key));
  return values;
}

function parseTensor(file: FileSource, cursor: Cursor): RawTensor {
  const name = parseString(file, cursor, 'a tensor');
  const problem = (text: string) => bad(file, `tensor ${show(name)} ${text}`);
  const dimensions = cursor.u32();
  if (dimensions < 1 || dimensions > MOST_DIMENSIONS)
    throw problem(`has ${dimensions} dimensions, 1 to ${MOST_DIMENSIONS} are wanted`);
  const shape: number[] = [];
  for (let i = 0; i < dimensions; i += 1) shape.unshift(cursor.u64());
  const elements = shape.reduce((product, size) => product * size, 1);
  if (elements < 1 || !Number.isSafeInteger(elements)) throw problem(`has the shape [${shape.join(', ')}]`);
  const type = cursor.u32();
  const dtype = ggmlType(type);
  if (!dtype) {
    throw new AtomoeError(
      'unsupported-model',
      `${file.name}: tensor ${show(name)} is ${ggmlTypeName(type)}, which Atomoe does not read; choose another quantisation ` +
        'of the model, such as Q4_K_M, Q8_0 or F16',
    );
  }
  return { name, shape, dtype, offsetBytes: cursor.u64() };
}

function alignmentOf(file: FileSource, metadata: GgufMetadata): number {
  const alignment = metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT;
  const isGood =
    typeof alignment === 'number' && alignment >= 8 && alignment <= 2 ** 20 && alignment % 8 === 0;
  if (isGood) return alignment;
  throw bad(file, `general.alignment is ${show(alignment)}, a multiple of 8 is wanted`);
}

/** Checks that tensors are aligned, inside the file, and beside one another. */
function place(
  file: FileSource,
  raw: readonly RawTensor[],
  dataOffset: number,
  alignment: number,
): Map<string, GgufTensor> {
  const tensors = new Map<string, GgufTensor>();
  let end = 0;
  let last = 'the header';
  for (const { name, shape, dtype, offsetBytes } of [...raw].sort((a, b) => a.offsetBytes - b.offsetBytes)) {
    const problem = (text: string) => bad(file, `tensor ${show(name)} ${text}`);
    if (tensors.has(name)) throw problem('occurs twice, once is wanted');
    const cols = shape.at(-1) ?? 0;
    const row = rowBytes(dtype, cols);
    if (row === undefined) throw problem(`is ${dtype} with rows of ${cols}, whole blocks are wanted`);
    const sizeBytes = row * shape.slice(0, -1).reduce((product, size) => product * size, 1);
    if (offsetBytes % alignment !== 0) {
      throw problem(`begins at byte ${offsetBytes} of the data, a multiple of ${alignment} is wanted`);
    }
    if (offsetBytes < end) throw problem(`begins at byte ${offsetBytes} of the data, inside ${last}`);
    // As llama.cpp requires: a wrong type or shape of what is before it shows here.
    const next = Math.ceil(end / alignment) * alignment;
    if (offsetBytes !== next) {
      throw problem(`begins at byte ${offsetBytes} of the data, byte ${next} behind ${last} is wanted`);
    }
    end = offsetBytes + sizeBytes;
    last = `tensor ${show(name)}`;
    if (dataOffset + end > file.sizeBytes) {
      throw problem(
        `ends at byte ${end} of the data, the file has only ${file.sizeBytes - dataOffset}; it is truncated`,
      );
    }
    tensors.set(name, { dtype, shape, offsetBytes: dataOffset + offsetBytes, sizeBytes });
  }
  return tensors;
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'missing';
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

function bad(file: FileSource, problem: string): AtomoeError {
  return new AtomoeError('bad-file', `${file.name}: ${problem}; ${ADVICE}`);
}
