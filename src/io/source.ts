/**
 * Ranged sources: what every parser sees of a disk, a server or a dropped folder. Parsers never learn which.
 */

/** How a range is read. */
export interface ReadOptions {
  signal?: AbortSignal | undefined;
  /** Called with the bytes of this read that have arrived so far. */
  onProgress?: ((doneBytes: number) => void) | undefined;
  /** No one has agreed to more than these bytes: a source that can only give the whole file ends its reading here. */
  isPeek?: boolean | undefined;
}

/** One ranged file. */
export interface FileSource {
  readonly name: string;
  readonly sizeBytes: number;
  /** Differs between versions of the file, where the source can tell them apart. */
  readonly validator?: string | undefined;
  /** False: a read beyond the beginning costs the whole file, so that who can keep it had better ask for all of it. */
  readonly isRanged?: boolean | undefined;
  /** Reads exactly `sizeBytes` bytes; the result belongs to the caller. */
  read(offsetBytes: number, sizeBytes: number, options?: ReadOptions): Promise<Uint8Array<ArrayBuffer>>;
  /** These bytes turned out to be wrong: who keeps a copy of them gives it up, so that the next read asks for them anew. */
  forget?(offsetBytes: number, sizeBytes: number): void;
  dispose?(): void;
}

/** How a file is opened. */
export interface OpenFileOptions {
  signal?: AbortSignal | undefined;
  /** 'short': the caller has a copy, and prefers it to waiting for a server that does not answer. */
  patience?: 'short' | undefined;
  /** The caller can do without: what the source refuses is absent, where it gives other files. */
  isOptional?: boolean | undefined;
  /** The file is small: it may be read whole at once, and one that is larger is refused before it is read. */
  mostBytes?: number | undefined;
}

/** A folder of named files. Names are relative (`config.json`, `model.safetensors`). */
export interface FolderSource {
  readonly label: string; // what errors and the page call it
  /** What a cache knows it by, where that is not the label. */
  readonly identity?: string;
  /** What to do when it turns out to hold no model. */
  readonly advice?: string;
  /** The file that the caller pointed at, when the source was a single file and not a folder. */
  readonly entry?: string;
  /** @returns undefined when the folder has no such file */
  open(name: string, options?: OpenFileOptions): Promise<FileSource | undefined>;
}

/** What a folder says of itself, for one that is put around it. */
export function factsOf({ label, identity, advice, entry }: FolderSource): Omit<FolderSource, 'open'> {
  return {
    label,
    ...(identity === undefined ? {} : { identity }),
    ...(advice === undefined ? {} : { advice }),
    ...(entry === undefined ? {} : { entry }),
  };
}
