/** What a cache knows of a model's files, and what it has of their bytes. */
import { Extents } from './extents.ts';
import type { CacheRecord, FileRecord } from './records.ts';
import { SharedReads } from '../shared-reads.ts';
import { asFault } from '../storage.ts';
import type { DiskStorage, StoredFile } from '../storage.ts';

/** What is stored of one version of one file. */
export class FileCopy {
  readonly file: string;
  readonly sizeBytes: number;
  readonly validator: string;
  readonly extents = new Extents();
  readonly reads = new SharedReads();
  id: number; // of the data file
  endBytes = 0; // of the data file: the next extent goes there
  /** The source has another version by now. */
  isDetached = false;

  constructor({ file, sizeBytes, validator, id }: Omit<FileRecord, 'kind'>) {
    this.file = file;
    this.sizeBytes = sizeBytes;
    this.validator = validator;
    this.id = id;
  }

  get record(): FileRecord {
    const { file, id, sizeBytes, validator } = this;
    return { kind: 'file', file, id, sizeBytes, validator };
  }
}

/** A stored file, or the knowledge that the source has none. */
export type KnownFile = FileCopy | 'absent';

/** The files of a stored model by name. */
export interface Catalogue {
  readonly files: Map<string, KnownFile>;
  nextId: number;
  usedAtMs: number;
}

/** What the records of a journal amount to. Records of bytes that are no file's are passed over. */
export function replay(records: readonly CacheRecord[]): Catalogue {
  const catalogue: Catalogue = { files: new Map(), nextId: 0, usedAtMs: 0 };
  const byId = new Map<number, FileCopy>();
  for (const record of records) {
    switch (record.kind) {
      case 'file': {
        const copy = new FileCopy(record);
        catalogue.files.set(record.file, copy);
        catalogue.nextId = Math.max(catalogue.nextId, record.id + 1);
        byId.set(record.id, copy);
        break;
      }
      case 'absent':
        catalogue.files.set(record.file, 'absent');
        break;
      case 'extent': {
        const copy = byId.get(record.id);
        const { offsetBytes, sizeBytes, at, hash } = record;
        if (!copy || offsetBytes + sizeBytes > copy.sizeBytes) break;
        const state = { bytes: undefined, isVerified: false, isDropped: false };
        copy.extents.add({ offsetBytes, sizeBytes, at, hash, ...state });
        copy.endBytes = Math.max(copy.endBytes, at + sizeBytes);
        break;
      }
      case 'drop': {
        const extents = byId.get(record.id)?.extents;
        const extent = extents?.at(record.offsetBytes);
        if (extent) extents?.drop(extent);
        break;
      }
      case 'used':
        catalogue.usedAtMs = record.atMs;
        break;
      default:
        record satisfies never;
    }
  }
  return catalogue;
}

/** The shortest list of records that amounts to the same. */
export function recordsOf({ files, usedAtMs }: Catalogue): CacheRecord[] {
  const records: CacheRecord[] = [{ kind: 'used', atMs: usedAtMs }];
  for (const [file, known] of files) {
    if (known === 'absent') {
      records.push({ kind: 'absent', file });
      continue;
    }
    records.push(known.record);
    for (const { offsetBytes, sizeBytes, at, hash } of known.extents) {
      records.push({ kind: 'extent', id: known.id, offsetBytes, sizeBytes, at, hash });
    }
  }
  return records;
}

/** The files that are there. */
export function copiesOf({ files }: Pick<Catalogue, 'files'>): FileCopy[] {
  return [...files.values()].filter((known) => known !== 'absent');
}

/** The name of the file in which a copy's bytes are, in the order in which they came. */
export function dataFileName(id: number): string {
  return `${id}.bin`;
}

/** Open data files by id. */
export class DataFiles {
  readonly #storage: DiskStorage;
  readonly #directory: string;
  readonly #access: 'read' | 'write';
  readonly #open = new Map<number, Promise<StoredFile | undefined>>();

  constructor(storage: DiskStorage, directory: string, access: 'read' | 'write') {
    this.#storage = storage;
    this.#directory = directory;
    this.#access = access;
  }

  /** @returns undefined when there is none to read */
  async get(id: number): Promise<StoredFile | undefined> {
    const open = this.#open.get(id) ?? this.#openFile(id);
    this.#open.set(id, open);
    try {
      return await open;
    } catch (cause) {
      this.#open.delete(id); // the next one may have more luck
      throw asFault(cause);
    }
  }

  async delete(id: number): Promise<void> {
    await this.#close(id);
    await this.#storage.deleteFile(this.#directory, dataFileName(id));
  }

  async closeAll(): Promise<void> {
    for (const id of [...this.#open.keys()]) await this.#close(id);
  }

  async #openFile(id: number): Promise<StoredFile | undefined> {
    const name = dataFileName(id);
    if (this.#access === 'write') return this.#storage.open(this.#directory, name, 'write');
    return this.#storage.open(this.#directory, name, 'read');
  }

  async #close(id: number): Promise<void> {
    const open = this.#open.get(id);
    this.#open.delete(id);
    const file = await open?.catch(() => undefined);
    await Promise.resolve(file?.close()).catch(() => undefined);
  }
}
