/** Which ranges of a file are stored, and where. */

/** A stored range. It is known from the moment its bytes came, and durable once it is in the journal. */
export interface Extent {
  readonly offsetBytes: number; // in the source's file
  readonly sizeBytes: number;
  /** The bytes while they wait to be written. */
  bytes: Uint8Array<ArrayBuffer> | undefined;
  at: number; // in the data file; counts once `bytes` is gone
  hash: string; // likewise
  /** Read back and found good in this session. */
  isVerified: boolean;
  /** No longer of the file: its readers must not use what comes. */
  isDropped: boolean;
}

/** A part of a range that is asked for: stored, or missing. */
export interface Piece {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  readonly extent: Extent | undefined;
}

/** Extents in the order of their offsets. No two overlap. */
export class Extents {
  readonly #sorted: Extent[] = [];
  #storedBytes = 0;

  get storedBytes(): number {
    return this.#storedBytes;
  }

  [Symbol.iterator](): IterableIterator<Extent> {
    return this.#sorted.values();
  }

  /** Takes an extent in; those that it overlaps are dropped. */
  add(extent: Extent): void {
    const end = extent.offsetBytes + extent.sizeBytes;
    const first = this.#firstAfter(extent.offsetBytes);
    let last = first;
    while ((this.#sorted[last]?.offsetBytes ?? Infinity) < end) last++;
    const overlapped = this.#sorted.splice(first, last - first, extent);
    this.#storedBytes += extent.sizeBytes;
    for (const old of overlapped) this.#forget(old);
  }

  drop(extent: Extent): void {
    if (extent.isDropped) return;
    const index = this.#sorted.indexOf(extent);
    if (index >= 0) this.#sorted.splice(index, 1);
    this.#forget(extent);
  }

  dropAll(): void {
    for (const extent of this.#sorted.splice(0)) this.#forget(extent);
  }

  at(offsetBytes: number): Extent | undefined {
    const extent = this.#sorted[this.#firstAfter(offsetBytes)];
    return extent && extent.offsetBytes <= offsetBytes ? extent : undefined;
  }

  /** Cuts a range into what is stored and what is missing, in order. */
  cut(offsetBytes: number, sizeBytes: number): Piece[] {
    const pieces: Piece[] = [];
    const end = offsetBytes + sizeBytes;
    let begin = offsetBytes;
    const push = (until: number, extent: Extent | undefined) => {
      if (until > begin) pieces.push({ offsetBytes: begin, sizeBytes: until - begin, extent });
      begin = Math.max(begin, until);
    };
    for (let i = this.#firstAfter(offsetBytes); begin < end; i++) {
      const extent = this.#sorted[i];
      push(Math.min(extent?.offsetBytes ?? end, end), undefined);
      if (!extent) break;
      if (begin < end) push(Math.min(extent.offsetBytes + extent.sizeBytes, end), extent);
    }
    return pieces;
  }

  /** Index of the first extent that ends after an offset. */
  #firstAfter(offsetBytes: number): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const extent = this.#sorted[middle];
      if (extent && extent.offsetBytes + extent.sizeBytes <= offsetBytes) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #forget(extent: Extent): void {
    if (extent.isDropped) return;
    extent.isDropped = true;
    this.#storedBytes -= extent.sizeBytes;
  }
}
