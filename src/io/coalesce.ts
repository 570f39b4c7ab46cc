/**
 * Reads that are asked for together and are adjacent, or the same, become one: a request has a price of its own. Nothing is
 * read that was not asked for. An expert's matrices are mostly adjacent in a file, and so are the experts of a layer; two
 * whose rows alternate are read from the same bytes.
 */
import { factsOf } from './source.ts';
import type { FileSource, FolderSource, ReadOptions } from './source.ts';
import { giveMemory, takeMemory } from './spare-memory.ts';

/** Larger reads gain nothing by being larger still, and their first bytes would come late. */
export const MOST_JOINED_BYTES = 8 * 1024 * 1024;

interface Wanted {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  readonly options: ReadOptions;
  readonly resolve: (bytes: Uint8Array<ArrayBuffer>) => void;
  readonly reject: (reason: unknown) => void;
}

/** The same folder, whose files join reads that are adjacent. */
export function coalescedFolder(folder: FolderSource): FolderSource {
  return {
    ...factsOf(folder),
    open: async (name, options) => {
      const file = await folder.open(name, options);
      return file && new CoalescedFile(file);
    },
  };
}

class CoalescedFile implements FileSource {
  readonly name: string;
  readonly sizeBytes: number;
  readonly #file: FileSource;
  #waiting: Wanted[] = [];

  constructor(file: FileSource) {
    this.#file = file;
    this.name = file.name;
    this.sizeBytes = file.sizeBytes;
  }

  get validator(): string | undefined {
    return this.#file.validator;
  }

  get isRanged(): boolean {
    return this.#file.isRanged ?? true;
  }

  read(offsetBytes: number, sizeBytes: number, options: ReadOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    return new Promise((resolve, reject) => {
      if (options.signal?.aborted) return reject(options.signal.reason as Error);
      this.#waiting.push({ offsetBytes, sizeBytes, options, resolve, reject });
      if (this.#waiting.length === 1) afterThisTask(() => this.#send());
    });
  }

  forget(offsetBytes: number, sizeBytes: number): void {
    this.#file.forget?.(offsetBytes, sizeBytes);
  }

  dispose(): void {
    this.#file.dispose?.();
  }

  #send(): void {
    const waiting = this.#waiting
      .filter(isWanted)
      .sort((a, b) => a.offsetBytes - b.offsetBytes || a.sizeBytes - b.sizeBytes);
    this.#waiting = [];
    for (const group of sideBySide(waiting)) void this.#readGroup(group);
  }

  async #readGroup(group: readonly Wanted[]): Promise<void> {
    const [first] = group;
    const last = group.at(-1);
    if (!first || !last) return;
    if (group.length === 1) {
      const { offsetBytes, sizeBytes, options } = first;
      this.#file.read(offsetBytes, sizeBytes, options).then(first.resolve, first.reject);
      return;
    }
    const sizeBytes = last.offsetBytes + last.sizeBytes - first.offsetBytes;
    const { signal, leave } = whileWanted(group);
    try {
      const isPeek = group.every(({ options }) => options.isPeek === true);
      const bytes = await this.#file.read(first.offsetBytes, sizeBytes, { signal, isPeek });
      for (const wanted of group) {
        const from = wanted.offsetBytes - first.offsetBytes;
        wanted.options.onProgress?.(wanted.sizeBytes);
        const part = bytes.subarray(from, from + wanted.sizeBytes);
        const own = takeMemory(part.byteLength); // fewer than were wanted where the source gave too few: its reader says so
        own.set(part);
        wanted.resolve(own);
      }
      giveMemory(bytes);
    } catch (error) {
      for (const wanted of group) wanted.reject(error);
    } finally {
      leave();
    }
  }
}

/** A caller that gave up before anything was sent gets the error at once, and nothing is sent for it. */
function isWanted({ options: { signal }, reject }: Wanted): boolean {
  if (signal?.aborted) reject(signal.reason);
  return signal?.aborted !== true;
}

/** Lots that follow one another without a gap, or are the same. */
function sideBySide(sorted: readonly Wanted[]): Wanted[][] {
  const groups: Wanted[][] = [];
  for (const wanted of sorted) {
    const group = groups.at(-1);
    if (group && belongs(wanted, group)) group.push(wanted);
    else groups.push([wanted]);
  }
  return groups;
}

function belongs({ offsetBytes, sizeBytes }: Wanted, group: readonly Wanted[]): boolean {
  const [first, last] = [group[0], group.at(-1)];
  if (!first || !last) return false;
  const end = last.offsetBytes + last.sizeBytes;
  if (offsetBytes === last.offsetBytes && sizeBytes === last.sizeBytes) return true;
  return offsetBytes === end && end + sizeBytes - first.offsetBytes <= MOST_JOINED_BYTES;
}

/** A caller that gives up gets the error at once; the read itself ends when no reader is left. */
function whileWanted(group: readonly Wanted[]): { signal: AbortSignal; leave: () => void } {
  const controller = new AbortController();
  let wanted = group.length;
  const leavers = group.map(({ options: { signal }, reject }) => {
    const onAbort = () => {
      reject(signal?.reason);
      wanted -= 1;
      if (wanted === 0) controller.abort(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    return () => signal?.removeEventListener('abort', onAbort);
  });
  return { signal: controller.signal, leave: () => leavers.forEach((leave) => leave()) };
}

/** Timers wait for milliseconds; a message does not, and comes when the current task is through. */
function afterThisTask(run: () => void): void {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    run();
  };
  port2.postMessage(undefined);
}
