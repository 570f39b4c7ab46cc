/** The page's side of proxy reads: `ModelFiles` objects stay here and answer the worker's requests. */
import type { ModelFile, ModelFiles } from '../engine/api.ts';
import { callersFolder } from '../engine/load/callers-folder.ts';
import { AtomoeError } from '../errors.ts';
import { encodeError, KERNELS_FOLDER, type FileAnswer, type FileRequest } from './protocol.ts';

/** What the worker reads where the CPU is to run a model. */
const KERNELS: ModelFiles = {
  label: 'kernels',
  async open(name) {
    const { isBuilt, readBuilt } = await import('../simd/built.ts');
    if (!isBuilt(name)) return undefined;
    const bytes = await readBuilt(name);
    const read = (from: number, sizeBytes: number) => Promise.resolve(bytes.slice(from, from + sizeBytes));
    return { name, sizeBytes: bytes.byteLength, read };
  },
};

/** Keeps the folders that the worker may read, and the files it has open. */
export class SharedFolders {
  readonly #post: (answer: FileAnswer, transfer?: Transferable[]) => void;
  readonly #shared: Map<number, ModelFiles>;
  readonly #folders = new Map<number, ModelFiles>([[KERNELS_FOLDER, KERNELS]]);
  readonly #open = new Map<string, ModelFile>(); // by folder and name
  readonly #reads = new Map<number, AbortController>();

  /** @param shared - what the worker may read, by number */
  constructor(
    post: (answer: FileAnswer, transfer?: Transferable[]) => void,
    shared: Map<number, ModelFiles>,
  ) {
    this.#post = post;
    this.#shared = shared;
  }

  #folder(folder: number): ModelFiles | undefined {
    const given = this.#shared.get(folder);
    if (given && !this.#folders.has(folder)) this.#folders.set(folder, callersFolder(given));
    return this.#folders.get(folder);
  }

  receive(request: FileRequest): void {
    switch (request.kind) {
      case 'file-abort':
        return this.#reads.get(request.read)?.abort();
      case 'file-dispose':
        return this.#close(key(request.folder, request.name));
      case 'file-open':
      case 'file-read':
        return void this.#answer(request);
    }
  }

  dispose(): void {
    for (const abort of this.#reads.values()) abort.abort();
    for (const name of [...this.#open.keys()]) this.#close(name);
    this.#folders.clear();
    this.#shared.clear();
  }

  async #answer(request: FileRequest & { kind: 'file-open' | 'file-read' }): Promise<void> {
    const { read } = request;
    const abort = new AbortController();
    this.#reads.set(read, abort);
    try {
      if (request.kind === 'file-open') {
        const file = await this.#folder(request.folder)?.open(request.name, { signal: abort.signal });
        if (file) this.#open.set(key(request.folder, request.name), file);
        this.#post({ kind: 'file-opened', read, sizeBytes: file?.sizeBytes });
      } else {
        const bytes = await this.#read(request, abort.signal);
        this.#post({ kind: 'file-bytes', read, bytes }, [bytes.buffer]);
      }
    } catch (error) {
      this.#post({ kind: 'file-failed', read, error: encodeError(error, abort.signal) });
    } finally {
      this.#reads.delete(read);
    }
  }

  async #read(
    request: FileRequest & { kind: 'file-read' },
    signal: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const name = key(request.folder, request.name);
    const file = this.#open.get(name) ?? (await this.#folder(request.folder)?.open(request.name, { signal }));
    if (!file) {
      throw new AtomoeError(
        'bad-file',
        `${request.name} is gone from the folder; wanted as it was when it was opened; choose the folder again`,
      );
    }
    this.#open.set(name, file);
    const bytes = await file.read(request.offsetBytes, request.sizeBytes, { signal });
    // A view is copied: transferring its buffer would take the rest of it from its owner.
    return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
  }

  #close(name: string): void {
    const file = this.#open.get(name);
    this.#open.delete(name);
    try {
      file?.dispose?.();
    } catch {
      // The caller's own, and of no more use.
    }
  }
}

function key(folder: number, name: string): string {
  return `${folder}/${name}`;
}
