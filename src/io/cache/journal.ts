/**
 * A journal in one of two files, `index-0` and `index-1`: it is rewritten without its garbage into the other one, and the
 * old one is deleted once that is whole. So there is a good one at every moment.
 */
import { encodeRecord, parseJournal } from './records.ts';
import type { CacheRecord, ParsedJournal } from './records.ts';
import type { DiskStorage, StoredFile } from '../storage.ts';

/** A journal that was read, with the name of its file. */
export interface FoundJournal extends ParsedJournal {
  readonly name: string;
}

/** Journals are a hundred bytes for each extent: a larger one is none. */
const MAX_JOURNAL_BYTES = 2 ** 28;

const journalName = (generation: number) => `index-${generation % 2}`;

/** Reads the newer of the good journals of a directory, without changing anything. */
export async function findJournal(
  storage: DiskStorage,
  directory: string,
): Promise<FoundJournal | undefined> {
  const found: FoundJournal[] = [];
  for (const name of [journalName(0), journalName(1)]) {
    const bytes = await readWhole(storage, directory, name);
    const parsed = bytes && parseJournal(bytes);
    if (parsed) found.push({ name, ...parsed });
  }
  const isWhole = ({ head, records }: FoundJournal) => Number(records.length >= head.count);
  found.sort((a, b) => isWhole(b) - isWhole(a) || b.head.generation - a.head.generation);
  return found[0];
}

/** The end of a journal that is being written. Only the holder of the directory's lock may have one. */
export class JournalWriter {
  readonly #file: StoredFile;
  #endBytes: number;

  private constructor(file: StoredFile, endBytes: number) {
    this.#file = file;
    this.#endBytes = endBytes;
  }

  /** Continues where the whole lines of a journal end. */
  static async resume(storage: DiskStorage, directory: string, found: FoundJournal): Promise<JournalWriter> {
    const file = await storage.open(directory, found.name, 'write');
    return orClose(file, async () => {
      await file.truncate(found.sizeBytes);
      return new JournalWriter(file, found.sizeBytes);
    });
  }

  /** Begins a journal, and deletes the one it replaces. */
  static async begin(
    storage: DiskStorage,
    directory: string,
    label: string,
    records: readonly CacheRecord[],
    old: FoundJournal | undefined,
  ): Promise<JournalWriter> {
    const generation = (old?.head.generation ?? -1) + 1;
    const file = await storage.open(directory, journalName(generation), 'write');
    return orClose(file, async () => {
      await file.truncate(0);
      const writer = new JournalWriter(file, 0);
      const head = encodeRecord({ kind: 'model', version: 1, generation, count: records.length, label });
      await writer.#write(head + records.map(encodeRecord).join(''));
      await storage.deleteFile(directory, journalName(generation + 1));
      return writer;
    });
  }

  /** Adds records. Once this is done they survive a crash; if it fails, none of them was added. */
  async append(records: readonly CacheRecord[]): Promise<void> {
    if (records.length > 0) await this.#write(records.map(encodeRecord).join(''));
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #write(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    await this.#file.write(bytes, this.#endBytes);
    await this.#file.flush();
    this.#endBytes += bytes.byteLength;
  }
}

async function orClose<T>(file: StoredFile, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    await Promise.resolve(file.close()).catch(() => undefined);
    throw cause;
  }
}

async function readWhole(
  storage: DiskStorage,
  directory: string,
  name: string,
): Promise<Uint8Array | undefined> {
  const file = await storage.open(directory, name, 'read');
  if (!file) return undefined;
  try {
    const sizeBytes = await file.size();
    if (sizeBytes > MAX_JOURNAL_BYTES) return undefined;
    const bytes = new Uint8Array(sizeBytes);
    return bytes.subarray(0, await file.read(bytes, 0));
  } finally {
    await file.close();
  }
}
