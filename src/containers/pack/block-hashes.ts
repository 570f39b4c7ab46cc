/** Hashes of a file's blocks: whatever part of it is read, no one sees a byte that is not as it was packed. */
import { AtomoeError, invariant } from '../../errors.ts';
import { allocate, checkRange, readExactly } from '../../io/read.ts';
import type { FileSource, FolderSource, ReadOptions } from '../../io/source.ts';

/** Of each SHA-256 the first half is kept: no damage hits 128 bits by chance. */
export const HASH_BYTES = 16;

/** What is kept of some bytes. */
export async function hashBytes(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', bytes), 0, HASH_BYTES);
}

/** SHA-256 hashes of a file, block by block. */
export interface BlockHashes {
  readonly blockBytes: number; // of all blocks but the last
  readonly hashes: Uint8Array<ArrayBuffer>; // HASH_BYTES for each block
}

/** Hashes a file while it is written. */
export class BlockHasher {
  readonly #blockBytes: number;
  readonly #hashes: Uint8Array<ArrayBuffer>[] = [];
  readonly #block: Uint8Array<ArrayBuffer>;
  #filledBytes = 0;

  constructor(blockBytes: number) {
    this.#blockBytes = blockBytes;
    this.#block = new Uint8Array(blockBytes);
  }

  async add(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.byteLength;) {
      const part = bytes.subarray(done, done + this.#blockBytes - this.#filledBytes);
      this.#block.set(part, this.#filledBytes);
      this.#filledBytes += part.byteLength;
      done += part.byteLength;
      if (this.#filledBytes === this.#blockBytes) await this.#close();
    }
  }

  async finish(): Promise<BlockHashes> {
    if (this.#filledBytes > 0) await this.#close();
    const hashes = new Uint8Array(this.#hashes.length * HASH_BYTES);
    for (const [index, hash] of this.#hashes.entries()) hashes.set(hash, index * HASH_BYTES);
    return { blockBytes: this.#blockBytes, hashes };
  }

  async #close(): Promise<void> {
    this.#hashes.push(await hashBytes(this.#block.slice(0, this.#filledBytes)));
    this.#filledBytes = 0;
  }
}

/** The same file, of which only bytes come that agree with their hashes; wrong ones are asked for once more. */
export function verifiedFile(folder: FolderSource, source: FileSource, blocks: BlockHashes): FileSource {
  return new VerifiedFile(folder, source, blocks);
}

class VerifiedFile implements FileSource {
  readonly name: string;
  readonly sizeBytes: number;
  readonly #folder: FolderSource;
  readonly #source: FileSource;
  readonly #blocks: BlockHashes;
  /** The last block of the read that began last: the next one often begins in it, and may not wait until it has come. */
  #last: { readonly index: number; readonly bytes: Promise<Uint8Array<ArrayBuffer>> } | undefined;

  constructor(folder: FolderSource, source: FileSource, blocks: BlockHashes) {
    this.name = source.name;
    this.sizeBytes = source.sizeBytes;
    this.#folder = folder;
    this.#source = source;
    this.#blocks = blocks;
  }

  get isRanged(): boolean {
    return this.#source.isRanged ?? true;
  }

  get validator(): string | undefined {
    return this.#source.validator;
  }

  async read(
    offsetBytes: number,
    sizeBytes: number,
    options: ReadOptions = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    options.signal?.throwIfAborted();
    checkRange(this, offsetBytes, sizeBytes);
    if (sizeBytes === 0) return new Uint8Array(0);
    const { blockBytes } = this.#blocks;
    const first = Math.floor(offsetBytes / blockBytes);
    const begin = first * blockBytes;
    const end = Math.min(Math.ceil((offsetBytes + sizeBytes) / blockBytes) * blockBytes, this.sizeBytes);
    const shared = this.#last?.index === first ? this.#last.bytes : undefined;
    const from = shared ? Math.min(begin + blockBytes, end) : begin;
    // Whole blocks are more than was asked for: the count goes no further.
    const { onProgress } = options;
    const report = onProgress && ((doneBytes: number) => onProgress(Math.min(doneBytes, sizeBytes)));
    const good = { ...options, onProgress: report };
    const readRest = from < end ? this.#readGood(from, end - from, good) : undefined;
    if (readRest) this.#keepLast(readRest, end);
    // Another reader may have given up on the block that both want.
    const readKnown = shared?.catch(() => this.#readGood(begin, from - begin, options));
    const [known, rest] = await Promise.all([readKnown, readRest]);
    options.signal?.throwIfAborted();
    report?.(sizeBytes);
    if (rest && !known && begin === offsetBytes && rest.byteLength === sizeBytes) return rest;
    const whole = allocate(this.name, end - begin);
    if (known) whole.set(known);
    if (rest) whole.set(rest, from - begin);
    return whole.slice(offsetBytes - begin, offsetBytes - begin + sizeBytes);
  }

  forget(offsetBytes: number, sizeBytes: number): void {
    this.#last = undefined;
    this.#source.forget?.(offsetBytes, sizeBytes);
  }

  dispose(): void {
    this.#last = undefined;
    this.#source.dispose?.();
  }

  #keepLast(read: Promise<Uint8Array<ArrayBuffer>>, end: number): void {
    const { blockBytes } = this.#blocks;
    const index = Math.ceil(end / blockBytes) - 1;
    const bytes = read.then((blocks) => blocks.slice(blocks.byteLength - (end - index * blockBytes)));
    const last = { index, bytes };
    this.#last = last;
    bytes.catch(() => {
      if (this.#last === last) this.#last = undefined;
    });
  }

  async #readGood(offsetBytes: number, sizeBytes: number, options: ReadOptions) {
    const bytes = await readExactly(this.#source, offsetBytes, sizeBytes, {
      ...options,
      chunkBytes: sizeBytes,
    });
    if ((await this.#firstWrong(offsetBytes, bytes)) === undefined) return bytes;
    this.#source.forget?.(offsetBytes, sizeBytes);
    const again = await this.#readAgain(offsetBytes, sizeBytes, options);
    const wrong = await this.#firstWrong(offsetBytes, again);
    if (wrong === undefined) return again;
    throw this.#damaged(wrong);
  }

  /** Opens the file anew for it: a source may keep the beginning that it has read, wrong or not. */
  async #readAgain(offsetBytes: number, sizeBytes: number, options: ReadOptions) {
    const source = await this.#folder.open(this.name, { signal: options.signal });
    if (source?.sizeBytes !== this.sizeBytes) throw this.#damaged(offsetBytes);
    try {
      return await readExactly(source, offsetBytes, sizeBytes, { ...options, chunkBytes: sizeBytes });
    } finally {
      source.dispose?.();
    }
  }

  /** Where the first block begins that is not as it was packed; `bytes` are whole blocks. */
  async #firstWrong(offsetBytes: number, bytes: Uint8Array<ArrayBuffer>): Promise<number | undefined> {
    const { blockBytes, hashes } = this.#blocks;
    const starts = Array.from({ length: Math.ceil(bytes.byteLength / blockBytes) }, (_, i) => i * blockBytes);
    const isGood = async (start: number) => {
      const at = ((offsetBytes + start) / blockBytes) * HASH_BYTES;
      const wanted = hashes.subarray(at, at + HASH_BYTES);
      invariant(
        wanted.byteLength === HASH_BYTES,
        () => `${this.name} has no block at ${offsetBytes + start}`,
      );
      const found = await hashBytes(bytes.subarray(start, start + blockBytes));
      return found.every((byte, i) => byte === wanted[i]);
    };
    const good = await Promise.all(starts.map(isGood));
    const wrong = good.indexOf(false);
    return wrong < 0 ? undefined : offsetBytes + wrong * blockBytes;
  }

  #damaged(offsetBytes: number): AtomoeError {
    return new AtomoeError(
      'integrity',
      `${this.#folder.label}: ${this.name} has wrong bytes: the ${this.#blocks.blockBytes} at ${offsetBytes} do not hash ` +
        `to what atomoe.json says, read twice; download ${this.name} again`,
    );
  }
}
