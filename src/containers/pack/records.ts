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
  const { layout, layers, unitsPerLayer, files, hashes, places } = manifest;
  const sources = await openFiles(folder, files, options);
  const strideBytes = recordStride(layout.sizeBytes);
  const perFile = (files[0]?.sizeBytes ?? 0) / strideBytes;
  // Records that lie side by side because they are read together are read with the padding between them, as one range.
  const readBytes = places ? strideBytes : layout.sizeBytes;
  return {
    layout,
    layers,
    unitsPerLayer,
    files,
    ...(places && { order: orderOf(places) }),
    totalBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    unrangedBytes: unrangedBytes(sources),
    async read(layer, unit, { signal } = {}) {
      const hash = hashes[layer]?.subarray(unit * HASH_BYTES, (unit + 1) * HASH_BYTES);
      const index = layer * unitsPerLayer + placeOf(places, layer, unit);
      const source = sources[Math.floor(index / perFile)];
      invariant(hash?.byteLength === HASH_BYTES && source, () => `no record ${unit} in layer ${layer}`);
      const offsetBytes = (index % perFile) * strideBytes;
      const place = { offsetBytes, readBytes, sizeBytes: layout.sizeBytes, hash, signal };
      const record = (await readRecord(source, place)) ?? (await readAgain(folder, source.name, place));
      if (record) return record;
      throw new AtomoeError(
        'integrity',
        `${folder.label}: ${source.name} has wrong bytes for expert unit ${unit} of expert layer ${layer}: the ` +
          `${layout.sizeBytes} at ${offsetBytes} do not hash to what ${MANIFEST_FILE} says, read twice; download ` +
          `${source.name} again`,
      );
    },
    dispose() {
      for (const source of sources) source.dispose?.();
    },
  };
}

interface RecordPlace extends ReadOptions {
  readonly offsetBytes: number;
  readonly readBytes: number; // from there, of which the record is the first `sizeBytes`
  readonly sizeBytes: number;
  readonly hash: Uint8Array<ArrayBuffer>;
}

/** @returns undefined when the bytes are not those that were packed */
async function readRecord(
  source: FileSource,
  { offsetBytes, readBytes, sizeBytes, hash, signal }: RecordPlace,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const bytes = await readExactly(source, offsetBytes, readBytes, { signal, chunkBytes: readBytes });
  const record = readBytes === sizeBytes ? bytes : bytes.slice(0, sizeBytes);
  const found = await hashBytes(record);
  signal?.throwIfAborted();
  if (found.every((byte, i) => byte === hash[i])) return record;
  source.forget?.(offsetBytes, readBytes);
  return undefined;
}

/** Opens the file anew for it: a source may keep the beginning that it has read, wrong or not. */
async function readAgain(
  folder: FolderSource,
  name: string,
  place: RecordPlace,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const source = await folder.open(name, { signal: place.signal });
  if (!source) throw missing(folder, name);
  try {
    return await readRecord(source, place);
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
