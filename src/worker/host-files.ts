/** `ModelFiles` objects that stayed on the page, as seen from the worker: every open and read is a message. */
import type { ModelFile, ModelFiles } from '../engine/api.ts';
import { AtomoeError } from '../errors.ts';
import type { BuiltName } from '../simd/modules.ts';
import { decodeError, KERNELS_FOLDER, type FileAnswer, type FileRequest } from './protocol.ts';

interface PendingRead {
  readonly resolve: (answer: FileAnswer) => void;
  readonly reject: (reason: unknown) => void;
  readonly signal: AbortSignal | undefined;
}

type WithoutRead<T> = T extends { readonly read: number } ? Omit<T, 'read'> : never;

/** Serves folders of the page to the engine in the worker. */
export class RemoteFiles {
  readonly #post: (request: FileRequest) => void;
  readonly #pending = new Map<number, PendingRead>();
  #nextRead = 0;

  constructor(post: (request: FileRequest) => void) {
    this.#post = post;
  }

  /** The kernels that the page has. @throws {AtomoeError} network - the page cannot load them */
  async kernels(name: BuiltName): Promise<Uint8Array<ArrayBuffer>> {
    const file = await this.folder(KERNELS_FOLDER, 'kernels', undefined).open(name);
    if (!file) throw new AtomoeError('internal', `the page has no kernels "${name}"; please report it`);
    const bytes = await file.read(0, file.sizeBytes);
    file.dispose?.();
    return bytes;
  }

  folder(folder: number, label: string, entry: string | undefined): ModelFiles {
    return {
      label,
      ...(entry === undefined ? {} : { entry }),
      open: async (name, options) => {
        const answer = await this.#ask({ kind: 'file-open', folder, name }, options?.signal);
        if (answer.kind !== 'file-opened' || answer.sizeBytes === undefined) return undefined;
        return this.#file(folder, name, answer.sizeBytes);
      },
    };
  }

  receive(answer: FileAnswer): void {
    const pending = this.#pending.get(answer.read);
    this.#pending.delete(answer.read);
    if (answer.kind === 'file-failed') pending?.reject(decodeError(answer.error, pending.signal));
    else pending?.resolve(answer);
  }

  #file(folder: number, name: string, sizeBytes: number): ModelFile {
    return {
      name,
      sizeBytes,
      read: async (offsetBytes, readBytes, options) => {
        const request = { kind: 'file-read', folder, name, offsetBytes, sizeBytes: readBytes } as const;
        const answer = await this.#ask(request, options?.signal);
        if (answer.kind !== 'file-bytes')
          throw new AtomoeError(
            'internal',
            `the page answered ${answer.kind} to a read of ${name}; wanted its bytes; please report it`,
          );
        options?.onProgress?.(answer.bytes.byteLength);
        return answer.bytes;
      },
      dispose: () => this.#post({ kind: 'file-dispose', folder, name }),
    };
  }

  async #ask(request: WithoutRead<FileRequest>, signal: AbortSignal | undefined): Promise<FileAnswer> {
    signal?.throwIfAborted();
    const read = this.#nextRead++;
    const onAbort = (): void => {
      this.#post({ kind: 'file-abort', read });
      this.#pending.get(read)?.reject(signal?.reason);
      this.#pending.delete(read);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await new Promise<FileAnswer>((resolve, reject) => {
        this.#pending.set(read, { resolve, reject, signal });
        this.#post({ ...request, read } as FileRequest);
      });
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }
}
