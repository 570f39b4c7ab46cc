/** The records of a packed model: ranged reads, each compared with its hash. */
import { AtomoeError, invariant } from '../../errors.ts';
import { readExactly, unrangedBytes } from '../../io/read.ts';
import type { FileSource, FolderSource, ReadOptions } from '../../io/source.ts';
import type { ReadyRecords } from '../checkpoint.ts';
import { HASH_BYTES, hashBytes } from './block-hashes.ts';
import { MANIFEST_FILE, recordStride, type PackFile } from './files.ts';
import type { PackManifest } from './manifest.ts';
import { orderOf, placeOf } from './places.ts';

/**
 * Opens the files of the records; reads none.
 *
 * @throws {AtomoeError} bad-file - a file is missing or of another size
 */
export async function openRecords(
  folder: FolderSource,
  manifest: PackManifest,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<ReadyRecords> {
  const { layout, layers, unitsPerLayer, files, hashes, places, levels } = manifest;
  const sources = await openFiles(folder, files, options);
  const strideBytes = recordStride(layout.sizeBytes);
  const perFile = (files[0]?.sizeBytes ?? 0) / strideBytes;
  // Records that lie side by side because they are read together are read with the padding between them, as one range.
  const readBytes = places ? strideBytes : layout.sizeBytes;

  async function readPieces(layer: number, unit: number, range: Omit<RecordRange, 'offsetBytes'>) {
    const index = layer * unitsPerLayer + placeOf(places, layer, unit);
    const source = sources[Math.floor(index / perFile)];
    invariant(source, () => `no record ${unit} in layer ${layer}`);
    const offsetBytes = (index % perFile) * strideBytes + range.startBytes;
    const place = { ...range, offsetBytes };
    const bytes = (await readRange(source, place)) ?? (await readAgain(folder, source.name, place));
    if (bytes) return bytes;
    const sizeBytes = sizeOf(range.pieces);
    throw new AtomoeError(
      'integrity',
      `${folder.label}: ${source.name} has wrong bytes for expert unit ${unit} of expert layer ${layer}: the ` +
        `${sizeBytes} at ${offsetBytes} do not hash to what ${MANIFEST_FILE} says, read twice; download ` +
        `${source.name} again`,
    );
  }

  const ends = layout.levels ?? [];
  return {
    layout,
    layers,
    unitsPerLayer,
    files,
    ...(places && { order: orderOf(places) }),
    ...(levels && {
      levels: {
        ends,
        async read(layer, unit, { first, end }, { signal } = {}) {
          const pieces = ends.slice(first, end).map((endBytes, index) => ({
            sizeBytes: endBytes - (ends[first + index - 1] ?? 0),
            hash: hashOf(levels[first + index]?.[layer], unit),
          }));
          const startBytes = ends[first - 1] ?? 0;
          return readPieces(layer, unit, { startBytes, pieces, readBytes: sizeOf(pieces), signal });
        },
      },
    }),
    totalBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    unrangedBytes: unrangedBytes(sources),
    async read(layer, unit, { signal } = {}) {
      const pieces = [{ sizeBytes: layout.sizeBytes, hash: hashOf(hashes[layer], unit) }];
      return readPieces(layer, unit, { startBytes: 0, pieces, readBytes, signal });
    },
    dispose() {
      for (const source of sources) source.dispose?.();
    },
  };
}

function hashOf(hashes: Uint8Array<ArrayBuffer> | undefined, unit: number): Uint8Array<ArrayBuffer> {
  const hash = hashes?.subarray(unit * HASH_BYTES, (unit + 1) * HASH_BYTES);
  invariant(hash?.byteLength === HASH_BYTES, () => `no record ${unit} in this layer`);
  return hash;
}

/** Bytes that have a hash. */
interface Piece {
  readonly sizeBytes: number;
  readonly hash: Uint8Array<ArrayBuffer>;
}

const sizeOf = (pieces: readonly Piece[]) => pieces.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

interface RecordRange extends ReadOptions {
  readonly offsetBytes: number; // in the file
  readonly startBytes: number; // in the record
  readonly readBytes: number; // from there, of which the pieces are the first
  readonly pieces: readonly Piece[];
}

/** @returns undefined when the bytes are not those that were packed */
async function readRange(
  source: FileSource,
  { offsetBytes, readBytes, pieces, signal }: RecordRange,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const read = await readExactly(source, offsetBytes, readBytes, { signal, chunkBytes: readBytes });
  const sizeBytes = sizeOf(pieces);
  const bytes = readBytes === sizeBytes ? read : read.slice(0, sizeBytes);
  const isGood = await agrees(bytes, pieces);
  signal?.throwIfAborted();
  if (isGood) return bytes;
  source.forget?.(offsetBytes, readBytes);
  return undefined;
}

async function agrees(bytes: Uint8Array<ArrayBuffer>, pieces: readonly Piece[]): Promise<boolean> {
  let at = 0;
  for (const { sizeBytes, hash } of pieces) {
    const found = await hashBytes(bytes.subarray(at, at + sizeBytes));
    if (!found.every((byte, i) => byte === hash[i])) return false;
    at += sizeBytes;
  }
  return true;
}

/** Opens the file anew for it: a source may keep the beginning that it has read, wrong or not. */
async function readAgain(
  folder: FolderSource,
  name: string,
  range: RecordRange,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const source = await folder.open(name, { signal: range.signal });
  if (!source) throw missing(folder, name);
  try {
    return await readRange(source, range);
  } finally {
    source.dispose?.();
  }
}

async function openFiles(
  folder: FolderSource,
  files: readonly PackFile[],
  options: { signal?: AbortSignal | undefined },
): Promise<FileSource[]> {
  const opened = await Promise.allSettled(files.map((file) => openFile(folder, file, options)));
  const sources = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = opened.find((result) => result.status === 'rejected');
  if (!failed) return sources;
  for (const source of sources) source.dispose?.();
  throw failed.reason;
}

async function openFile(
  folder: FolderSource,
  { name, sizeBytes }: PackFile,
  options: { signal?: AbortSignal | undefined },
): Promise<FileSource> {
  const source = await folder.open(name, options);
  if (!source) throw missing(folder, name);
  if (source.sizeBytes === sizeBytes) return source;
  source.dispose?.();
  throw new AtomoeError(
    'bad-file',
    `${folder.label}: ${name} has ${source.sizeBytes} bytes, ${MANIFEST_FILE} says ${sizeBytes}; download it again`,
  );
}

function missing(folder: FolderSource, name: string): AtomoeError {
  return new AtomoeError(
    'bad-file',
    `${folder.label}: ${name} is missing, ${MANIFEST_FILE} names it; download the whole pack again`,
  );
}
