/** Writes a packed model: dense tensors, records, the small files, and the manifest last. `pack.ts` has the format. */
import { AtomoeError, invariant } from '../../errors.ts';
import { readExactly } from '../../io/read.ts';
import type { FileSource } from '../../io/source.ts';
import { BlockHasher, HASH_BYTES, hashBytes } from './block-hashes.ts';
import { DENSE_BLOCK_BYTES, DENSE_FILE, expertFiles, MANIFEST_FILE, recordStride } from './files.ts';
import { formatManifest, type PackManifest } from './manifest.ts';
import { placesOf, type UnitOrder } from './places.ts';
import type { RecordLayout } from '../../weights/record.ts';
import { safetensorsPieces, safetensorsSize, type TensorToWrite } from '../safetensors-writer.ts';

/** A new folder that is being filled, one file after the other. */
export interface FolderSink {
  /** Begins a file; bytes are appended until it is closed. */
  create(name: string): Promise<FileSink>;
  /** Writes a small file so that it is there whole or not at all. */
  commit(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

/** A file that is being written. */
export interface FileSink {
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  close(): Promise<void>;
}

/** The routed experts as they are read from whatever holds them now. */
export interface RecordSource {
  readonly layout: RecordLayout;
  readonly layers: number;
  readonly unitsPerLayer: number;
  /** [layer][place]: the units in the order of the file; by default by unit. */
  readonly order?: UnitOrder | undefined;
  read(layer: number, unit: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** What is packed. */
export interface PackContents {
  readonly source: PackManifest['source'];
  readonly dense: readonly TensorToWrite[];
  readonly metadata: Readonly<Record<string, string>>; // of dense.safetensors
  readonly experts: RecordSource;
  readonly copies: readonly FileSource[]; // small files, taken as they are
}

/** How it is packed. */
export interface PackOptions {
  signal?: AbortSignal | undefined;
  /** Largest file of records; default 1 GiB. */
  splitBytes?: number;
  onProgress?: (doneBytes: number, totalBytes: number) => void;
}

const SPLIT_BYTES = 2 ** 30;

/** Records that are read ahead of the one being written: a far server answers slowly, but several at once. */
const AHEAD_RECORDS = 8;
const AHEAD_BYTES = 256 * 1024 * 1024;

/**
 * Streams a packed model into a folder. Stopped in the middle, it leaves no manifest, and so no packed model.
 *
 * @throws {AtomoeError} bad-input - a record is larger than `splitBytes`; what sources and sink throw
 */
export async function writePack(
  sink: FolderSink,
  { source, dense, metadata, experts, copies }: PackContents,
  options: PackOptions = {},
): Promise<PackManifest> {
  const { signal, onProgress } = options;
  const { layout, layers, unitsPerLayer, order } = experts;
  const places = order && placesOf(order);
  const strideBytes = recordStride(layout.sizeBytes);
  const perFile = recordsPerFile(strideBytes, options.splitBytes ?? SPLIT_BYTES);
  const files = expertFiles(layers * unitsPerLayer, perFile, strideBytes);
  const denseBytes = safetensorsSize(dense, metadata);
  const totalBytes = denseBytes + files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  const advance = (bytes: number) => {
    signal?.throwIfAborted();
    onProgress?.((doneBytes += bytes), totalBytes);
  };

  const hasher = new BlockHasher(DENSE_BLOCK_BYTES);
  await writeFile(sink, DENSE_FILE, hashed(safetensorsPieces(dense, metadata), hasher), advance);
  const denseHashes = await hasher.finish();
  const records = readAhead(experts, signal);
  const empty = () => Array.from({ length: layers }, () => new Uint8Array(unitsPerLayer * HASH_BYTES));
  const hashes = empty();
  const levels = layout.levels?.map(empty);
  let index = 0;
  for (const { name, sizeBytes } of files) {
    const pieces = recordPieces(records, sizeBytes / strideBytes, strideBytes, async (record) => {
      const { layer, unit } = unitAt(experts, index);
      hashes[layer]?.set(await hashBytes(record), unit * HASH_BYTES);
      for (const [level, endBytes] of layout.levels?.entries() ?? []) {
        const own = record.subarray(layout.levels?.[level - 1] ?? 0, endBytes);
        levels?.[level]?.[layer]?.set(await hashBytes(own), unit * HASH_BYTES);
      }
      index += 1;
    });
    await writeFile(sink, name, pieces, advance);
  }
  for (const copy of copies) {
    const bytes = await readExactly(copy, 0, copy.sizeBytes, { signal });
    await sink.commit(copy.name, bytes);
  }
  const manifest = {
    ...{ source, denseBytes, layout, layers, unitsPerLayer, files, hashes, denseHashes, places },
    ...(levels && { levels }),
  };
  signal?.throwIfAborted();
  await sink.commit(MANIFEST_FILE, new TextEncoder().encode(formatManifest(manifest)));
  return manifest;
}

function recordsPerFile(strideBytes: number, splitBytes: number): number {
  const perFile = Math.floor(splitBytes / strideBytes);
  if (perFile >= 1) return perFile;
  throw new AtomoeError(
    'bad-input',
    `files are to be split at ${splitBytes} bytes, one expert record takes ${strideBytes}; choose at least that`,
  );
}

async function writeFile(
  sink: FolderSink,
  name: string,
  pieces: AsyncIterable<Uint8Array<ArrayBuffer>>,
  advance: (bytes: number) => void,
): Promise<void> {
  const file = await sink.create(name);
  try {
    for await (const piece of pieces) {
      await file.write(piece);
      advance(piece.byteLength);
    }
  } finally {
    await file.close();
  }
}

async function* hashed(
  pieces: AsyncIterable<Uint8Array<ArrayBuffer>>,
  hasher: BlockHasher,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for await (const piece of pieces) {
    await hasher.add(piece);
    yield piece;
  }
}

/** The next records, each padded to the stride. */
async function* recordPieces(
  records: AsyncIterator<Uint8Array<ArrayBuffer>>,
  count: number,
  strideBytes: number,
  onRecord: (record: Uint8Array<ArrayBuffer>) => Promise<void>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let done = 0; done < count; done += 1) {
    const next = await records.next();
    invariant(!next.done, () => `${count - done} records are missing`);
    await onRecord(next.value);
    yield next.value;
    yield new Uint8Array(strideBytes - next.value.byteLength);
  }
}

/** Whose record is the next but `index` of the files. */
function unitAt({ unitsPerLayer, order }: RecordSource, index: number): { layer: number; unit: number } {
  const layer = Math.floor(index / unitsPerLayer);
  const place = index % unitsPerLayer;
  return { layer, unit: order?.[layer]?.[place] ?? place };
}

/** All records in order, the next few on their way. */
async function* readAhead(
  experts: RecordSource,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array<ArrayBuffer>, undefined> {
  const { layers, unitsPerLayer, layout } = experts;
  const ahead = Math.max(1, Math.min(AHEAD_RECORDS, Math.floor(AHEAD_BYTES / layout.sizeBytes)));
  const underWay: Promise<Uint8Array<ArrayBuffer>>[] = [];
  for (let next = 0; next < layers * unitsPerLayer || underWay.length > 0;) {
    while (next < layers * unitsPerLayer && underWay.length < ahead) {
      signal?.throwIfAborted();
      const { layer, unit } = unitAt(experts, next);
      const reading = experts.read(layer, unit);
      reading.catch(() => {}); // is thrown where it is awaited
      underWay.push(reading);
      next += 1;
    }
    const first = await underWay.shift();
    invariant(first?.byteLength === layout.sizeBytes, () => `a record of ${first?.byteLength} bytes`);
    yield first;
  }
  return undefined;
}
