/**
 * Ranged sources: what every parser sees of a disk, a server or a dropped folder. Parsers never learn which.
 */

export interface ReadOptions {
  signal?: AbortSignal | undefined;
  /** Called with the bytes of this read that have arrived so far. */
  onProgress?: ((doneBytes: number) => void) | undefined;
}

/** One ranged file. */
export interface FileSource {
  readonly name: string;
  readonly sizeBytes: number;
  /** Differs between versions of the file, where the source can tell them apart. */
  readonly validator?: string | undefined;
  /** Reads exactly `sizeBytes` bytes; the result belongs to the caller. */
  read(offsetBytes: number, sizeBytes: number, options?: ReadOptions): Promise<Uint8Array<ArrayBuffer>>;
  /** These bytes turned out to be wrong: who keeps a copy of them gives it up, so that the next read asks for them anew. */
  forget?(offsetBytes: number, sizeBytes: number): void;
  dispose?(): void;
}

export interface OpenFileOptions {
  signal?: AbortSignal | undefined;
  /** 'short': whoever asks has a copy, and would rather go on with it than wait for a server that does not answer. */
  patience?: 'short' | undefined;
}

/** A folder of named files. Names are relative (`config.json`, `model.safetensors`). */
export interface FolderSource {
  readonly label: string; // what errors and the page call it
  /** The file that the caller pointed at, when the source was a single file and not a folder. */
  readonly entry?: string;
  /** @returns undefined when the folder has no such file */
  open(name: string, options?: OpenFileOptions): Promise<FileSource | undefined>;
}
