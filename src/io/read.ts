import { AtomoeError } from '../errors.ts';
import { readAhead } from './read-ahead.ts';
import { giveMemory } from './spare-memory.ts';
import type { FileSource, ReadOptions } from './source.ts';

/** A request of this size amortises its round trip and still shows progress and feels an abort. */
const CHUNK_BYTES = 16 * 1024 * 1024;

/** While one chunk comes the next is asked for. */
const CHUNKS_AT_ONCE = { mostReads: 2, mostBytes: Infinity };

/**
 * Reads a range in chunks, and makes sure that every byte of it came.
 *
 * @param chunkBytes - largest single read of the source
 * @throws {AtomoeError} bad-file - the range reaches past the end, or the source gave too few bytes; out-of-memory
 */
export async function readExactly(
  file: FileSource,
  offsetBytes: number,
  sizeBytes: number,
  options: ReadOptions & { chunkBytes?: number } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { signal, onProgress, isPeek, chunkBytes = CHUNK_BYTES } = options;
  signal?.throwIfAborted();
  checkRange(file, offsetBytes, sizeBytes);
  if (sizeBytes <= chunkBytes) {
    return readChunk(file, offsetBytes, sizeBytes, { signal, onProgress, isPeek });
  }

  const whole = allocate(file.name, sizeBytes);
  const doneBytes = new Map<number, number>(); // by where a chunk begins
  const readOne = async ({ at, sizeBytes: length }: Chunk, either: AbortSignal) => {
    const report = (chunkDone: number) => {
      doneBytes.set(at, chunkDone);
      onProgress?.([...doneBytes.values()].reduce((sum, done) => sum + done, 0));
    };
    const chunkOptions = { signal: either, onProgress: report, isPeek };
    const chunk = await readChunk(file, offsetBytes + at, length, chunkOptions);
    whole.set(chunk, at);
    giveMemory(chunk);
  };
  const chunks = chunksOf(sizeBytes, chunkBytes);
  for await (const _ of readAhead(chunks, readOne, signal, CHUNKS_AT_ONCE)) void _;
  return whole;
}

interface Chunk {
  readonly at: number; // from the start of the range
  readonly sizeBytes: number;
}

function* chunksOf(sizeBytes: number, chunkBytes: number): Generator<Chunk, void, undefined> {
  for (let at = 0; at < sizeBytes; at += chunkBytes) {
    yield { at, sizeBytes: Math.min(chunkBytes, sizeBytes - at) };
  }
}

/** Refuses a range that the file does not have. */
export function checkRange(file: FileSource, offsetBytes: number, sizeBytes: number): void {
  const isRange = Number.isSafeInteger(offsetBytes) && Number.isSafeInteger(sizeBytes);
  if (isRange && offsetBytes >= 0 && sizeBytes >= 0 && offsetBytes + sizeBytes <= file.sizeBytes) return;
  throw new AtomoeError(
    'bad-file',
    `${file.name} is too short: bytes ${offsetBytes} to ${offsetBytes + sizeBytes} are wanted, the file has ` +
      `${file.sizeBytes}; it is truncated, download it again`,
  );
}

/** Bytes of the files that their sources give only whole. */
export function unrangedBytes(files: readonly FileSource[]): number {
  return files.reduce((sum, { isRanged, sizeBytes }) => sum + (isRanged === false ? sizeBytes : 0), 0);
}

/** A byte array, or a typed error when the machine has no room for it. */
export function allocate(name: string, sizeBytes: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(sizeBytes);
  } catch (cause) {
    throw new AtomoeError(
      'out-of-memory',
      `${name}: ${sizeBytes} bytes of memory were refused; close other tabs or choose a smaller model`,
      { cause },
    );
  }
}

async function readChunk(
  file: FileSource,
  offsetBytes: number,
  sizeBytes: number,
  options: ReadOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  if (sizeBytes === 0) return new Uint8Array(0);
  const bytes = await file.read(offsetBytes, sizeBytes, options);
  options.signal?.throwIfAborted();
  if (bytes.byteLength !== sizeBytes) {
    throw new AtomoeError(
      'bad-file',
      `${file.name}: ${bytes.byteLength} bytes came from offset ${offsetBytes}, ${sizeBytes} were wanted; ` +
        `the file changed or the source is broken, load it again`,
    );
  }
  options.onProgress?.(sizeBytes);
  return bytes;
}
