/**
 * Brings bytes to the disk behind the readers' backs: payloads first, then, when they are flushed, the records that say
 * where they are. What comes while one batch is written makes the next one, so flushes are few.
 */
import type { Extent } from './extents.ts';
import type { DataFiles, FileCopy } from './files.ts';
import type { JournalWriter } from './journal.ts';
import type { CacheRecord, ExtentRecord } from './records.ts';
import { hashOf } from '../hash.ts';
import { asFault } from '../storage.ts';
import type { StorageFault } from '../storage.ts';

type Job =
  | { readonly kind: 'extent'; readonly copy: FileCopy; readonly extent: Extent }
  | { readonly kind: 'record'; readonly record: CacheRecord }
  | { readonly kind: 'delete'; readonly id: number }; // of a data file that no record names any more

/** An extent whose payload is written. */
interface Written {
  readonly extent: Extent;
  readonly record: ExtentRecord;
}

const BATCH_BYTES = 16 * 2 ** 20; // written at once when this much waits
const BATCH_MS = 200; // else after this
/** Readers wait while this much waits to be written: the bytes are in memory. */
const HIGH_WATER_BYTES = 64 * 2 ** 20;

/** What a writer reports. */
export interface WriterEvents {
  /** A data file is no more. */
  onGone(copy: FileCopy, id: number): void;
  /** Nothing more will be written. */
  onStop(fault: StorageFault): void;
}

/** Writes what was read to disk, in the background and in order. */
export class CacheWriter {
  readonly #journal: JournalWriter;
  readonly #files: DataFiles;
  readonly #events: WriterEvents;
  #jobs: Job[] = [];
  #running: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waitingBytes = 0;
  #writtenBytes = 0;
  #isStopped = false;

  constructor(journal: JournalWriter, files: DataFiles, events: WriterEvents) {
    this.#journal = journal;
    this.#files = files;
    this.#events = events;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Bytes made durable by this writer. */
  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  push(job: Job): void {
    if (this.#isStopped) return;
    this.#jobs.push(job);
    if (job.kind === 'extent') this.#waitingBytes += job.extent.sizeBytes;
    if (this.#waitingBytes >= BATCH_BYTES) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), BATCH_MS);
  }

  /** Resolves when few enough bytes wait. */
  async settle(): Promise<void> {
    if (this.#waitingBytes > HIGH_WATER_BYTES) await this.flush();
  }

  /** Writes all that waits. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#running || this.#jobs.length > 0) {
      this.#running ??= this.#drain().finally(() => (this.#running = undefined));
      await this.#running;
    }
  }

  async close(): Promise<void> {
    await this.flush();
    this.#isStopped = true;
    await this.#journal.close();
  }

  async #drain(): Promise<void> {
    while (this.#jobs.length > 0) await this.#commit(this.#jobs.splice(0));
  }

  async #commit(jobs: readonly Job[]): Promise<void> {
    const written = new Map<Job, Written>();
    const payloadFault = await this.#writePayloads(jobs, written);
    // What was written before a fault still counts, if the journal has room for it.
    const recordFault = await this.#writeRecords(jobs, written);
    for (const job of jobs) {
      if (job.kind !== 'extent') continue;
      this.#waitingBytes -= job.extent.sizeBytes;
      const found = recordFault ? undefined : written.get(job);
      if (found) this.#settleExtent(found);
      else job.copy.extents.drop(job.extent);
    }
    const fault = payloadFault ?? recordFault;
    if (fault) this.#stop(fault);
  }

  async #writePayloads(jobs: readonly Job[], written: Map<Job, Written>): Promise<StorageFault | undefined> {
    for (const job of jobs) {
      if (job.kind !== 'extent') continue;
      const { id } = job.copy;
      try {
        const done = await this.#writePayload(job.copy, job.extent);
        if (done) written.set(job, done);
      } catch (cause) {
        const fault = asFault(cause);
        if (fault.kind !== 'gone') return fault;
        this.#events.onGone(job.copy, id);
      }
    }
    return undefined;
  }

  async #writePayload(copy: FileCopy, extent: Extent): Promise<Written | undefined> {
    const { bytes, offsetBytes, sizeBytes } = extent;
    if (!bytes) return undefined;
    const hash = await hashOf(bytes);
    if (extent.isDropped) return undefined;
    const { id, endBytes: at } = copy;
    copy.endBytes += sizeBytes;
    const file = await this.#files.get(id);
    await file?.write(bytes, at);
    return { extent, record: { kind: 'extent', id, offsetBytes, sizeBytes, at, hash } };
  }

  async #writeRecords(
    jobs: readonly Job[],
    written: ReadonlyMap<Job, Written>,
  ): Promise<StorageFault | undefined> {
    try {
      const ids = new Set(Array.from(written.values(), ({ record }) => record.id));
      for (const id of ids) await (await this.#files.get(id))?.flush();
      const records = jobs.map((job) => (job.kind === 'record' ? job.record : written.get(job)?.record));
      await this.#journal.append(records.filter((record) => record !== undefined));
      for (const job of jobs) if (job.kind === 'delete') await this.#files.delete(job.id);
      return undefined;
    } catch (cause) {
      return asFault(cause);
    }
  }

  #settleExtent({ extent, record }: Written): void {
    extent.at = record.at;
    extent.hash = record.hash;
    extent.bytes = undefined;
    this.#writtenBytes += extent.sizeBytes;
  }

  /** What waits will never be written: it is forgotten, so that memory does not fill with it. */
  #stop(fault: StorageFault): void {
    this.#isStopped = true;
    for (const job of this.#jobs.splice(0)) if (job.kind === 'extent') job.copy.extents.drop(job.extent);
    this.#waitingBytes = 0;
    this.#events.onStop(fault);
  }
}
