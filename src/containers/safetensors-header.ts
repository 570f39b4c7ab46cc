/** The safetensors container: 8 bytes of header length, a JSON header, then the tensors without a gap. */
import { AtomoeError } from '../errors.ts';
import { readExactly } from '../io/read.ts';
import type { FileSource, ReadOptions } from '../io/source.ts';
import { DTYPE_BYTES, isDtype } from '../weights/dtypes.ts';
import type { Dtype } from '../weights/dtypes.ts';
import { decodeUtf8, isJsonObject, parseJsonObject } from '../io/json-file.ts';
import { repeatedKey } from '../io/json-keys.ts';

/** A tensor in the header of a safetensors file. */
export interface SafetensorsEntry {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly offsetBytes: number; // from the start of the file
  readonly sizeBytes: number;
}

/** The parsed header of a safetensors file. */
export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

const LENGTH_BYTES = 8;
const HEADER_LIMIT_BYTES = 100_000_000; // the format's own limit
/** A tensor's shape is the deepest thing in a header. The largest files hold 40,000 tensors of about 8 values. */
const HEADER_BOUNDS = { depth: 3, values: 4_000_000 };
const ADVICE = 'the file is damaged or not safetensors, download it again';

/**
 * Reads and checks a header, and nothing else of the file.
 *
 * @throws {AtomoeError} bad-file - the header is too long or no JSON; a tensor's type, shape or place is wrong; tensors
 *   overlap or leave a gap; a name occurs twice
 */
export async function readSafetensorsHeader(
  file: FileSource,
  options: ReadOptions = {},
): Promise<SafetensorsHeader> {
  if (file.sizeBytes < LENGTH_BYTES) {
    throw bad(file, `it has ${file.sizeBytes} bytes, a header length alone takes ${LENGTH_BYTES}`);
  }
  const prefix = await readExactly(file, 0, LENGTH_BYTES, options);
  const headerBytes = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true);
  if (headerBytes > BigInt(HEADER_LIMIT_BYTES)) {
    throw bad(file, `its header claims ${headerBytes} bytes, at most ${HEADER_LIMIT_BYTES} are allowed`);
  }
  const dataOffset = LENGTH_BYTES + Number(headerBytes);
  if (dataOffset > file.sizeBytes) {
    throw bad(
      file,
      `its header claims ${headerBytes} bytes, the file has ${file.sizeBytes - LENGTH_BYTES} more`,
    );
  }
  const where = `${file.name}: the header`;
  const text = decodeUtf8(await readExactly(file, LENGTH_BYTES, Number(headerBytes), options), where);
  const { __metadata__: metadata, ...entries } = parseJsonObject(text, where, { bounds: HEADER_BOUNDS });
  const repeated = repeatedKey(text);
  if (repeated !== undefined)
    throw bad(file, `its header names ${JSON.stringify(repeated)} twice, once is wanted`);

  const tensors = new Map<string, SafetensorsEntry>();
  for (const [name, entry] of Object.entries(entries)) {
    tensors.set(name, parseEntry(file, name, entry, dataOffset));
  }
  checkCoverage(file, tensors, dataOffset);
  return { tensors, metadata: parseMetadata(file, metadata) };
}

function parseMetadata(file: FileSource, value: unknown): Record<string, string> {
  if (value === undefined || value === null) return {};
  const pairs = isJsonObject(value) ? Object.entries(value) : undefined;
  if (pairs?.every((pair): pair is [string, string] => typeof pair[1] === 'string')) {
    return Object.fromEntries(pairs);
  }
  throw bad(file, `its __metadata__ is ${preview(value)}, an object of strings is wanted`);
}

function parseEntry(file: FileSource, name: string, entry: unknown, dataOffset: number): SafetensorsEntry {
  const problem = (text: string) => bad(file, `tensor ${JSON.stringify(name)} ${text}`);
  if (!isJsonObject(entry)) throw problem(`is ${preview(entry)}, an object is wanted`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !isDtype(dtype)) {
    throw problem(`has the type ${preview(dtype)}, one of ${Object.keys(DTYPE_BYTES).join(', ')} is wanted`);
  }
  if (!isSizes(shape)) throw problem(`has the shape ${preview(shape)}, a list of whole numbers is wanted`);
  if (!isSizes(offsets) || offsets.length !== 2) {
    throw problem(`has the data_offsets ${preview(offsets)}, two whole numbers are wanted`);
  }
  const [begin = 0, end = 0] = offsets;
  if (begin > end) throw problem(`ends at ${end}, before it begins at ${begin}`);
  const dataBytes = file.sizeBytes - dataOffset;
  if (end > dataBytes)
    throw problem(`ends at byte ${end} of the data, the file has only ${dataBytes}; it is truncated`);
  const sizeBytes = shape.reduce((product, size) => product * size, DTYPE_BYTES[dtype]);
  if (end - begin !== sizeBytes) {
    throw problem(`has ${end - begin} bytes, ${dtype} [${shape.join(', ')}] takes ${sizeBytes}`);
  }
  return { dtype, shape, offsetBytes: dataOffset + begin, sizeBytes };
}

/** The format wants every byte of the data to belong to exactly one tensor. */
function checkCoverage(
  file: FileSource,
  tensors: ReadonlyMap<string, SafetensorsEntry>,
  dataOffset: number,
): void {
  const inOrder = [...tensors].sort(
    ([, a], [, b]) => a.offsetBytes - b.offsetBytes || a.sizeBytes - b.sizeBytes,
  );
  let end = dataOffset;
  let last = 'the header';
  for (const [name, { offsetBytes, sizeBytes }] of inOrder) {
    const quoted = `tensor ${JSON.stringify(name)}`;
    const byte = offsetBytes - dataOffset;
    if (offsetBytes < end) throw bad(file, `${quoted} begins at byte ${byte} of the data, inside ${last}`);
    if (offsetBytes > end) {
      throw bad(
        file,
        `${quoted} begins at byte ${byte} of the data, ${offsetBytes - end} bytes after ${last} ends`,
      );
    }
    end = offsetBytes + sizeBytes;
    last = quoted;
  }
  if (end !== file.sizeBytes) {
    throw bad(file, `${file.sizeBytes - end} bytes follow ${last}, none are wanted`);
  }
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function preview(value: unknown): string {
  const text = JSON.stringify(value) ?? 'missing';
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

function bad(file: FileSource, problem: string): AtomoeError {
  return new AtomoeError('bad-file', `${file.name}: ${problem}; ${ADVICE}`);
}
