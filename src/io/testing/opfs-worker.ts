/** A dedicated worker for the tests of OPFS: it does to a cache what it is asked to. */
import { cachedFolder } from '../cache/disk-cache.ts';
import type { CachedFolder, CacheStatus } from '../cache/disk-cache.ts';
import { deleteModel, listModels } from '../cache/model-store.ts';
import { openOpfs } from '../opfs.ts';
import { origin, randomBytes } from './origin.ts';
import type { Origin } from './origin.ts';

/** The one file of the test. */
export const NAME = 'model.safetensors';

/** How the worker opens its cache. */
export interface Setup {
  storage: string; // name of the OPFS directory
  label: string;
  sizeBytes: number; // of the one file
  seed: number;
  isOffline?: boolean;
}

let cached: CachedFolder | undefined;
let source: Origin | undefined;

const commands = {
  async open({ storage, label, sizeBytes, seed, isOffline = false }: Setup): Promise<CacheStatus> {
    source = origin({ [NAME]: randomBytes(sizeBytes, seed) }, label);
    source.isOffline = isOffline;
    cached = await cachedFolder(source, await openOpfs(storage));
    return cached.cache.status;
  },
  async read(begin: number, end: number): Promise<Uint8Array> {
    return (await cached!.open(NAME))!.read(begin, end - begin);
  },
  /** Ranges that reached the source since this was asked last. */
  async reads(): Promise<[begin: number, size: number][]> {
    return source!.reads.splice(0).map(([, begin, size]) => [begin, size]);
  },
  async flush(): Promise<CacheStatus> {
    await cached!.cache.flush();
    return cached!.cache.status;
  },
  async dispose(): Promise<void> {
    await cached!.dispose();
  },
  async list(storage: string) {
    return listModels(await openOpfs(storage));
  },
  async remove(storage: string, key: string): Promise<void> {
    await deleteModel(await openOpfs(storage), key);
  },
};

/** What the worker can be asked to do. */
export type Commands = typeof commands;

/** A command to the worker. */
export interface Call {
  readonly id: number;
  readonly name: keyof Commands;
  readonly args: readonly unknown[];
}

/** The worker's answer. */
export type Reply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: { readonly code: unknown; readonly message: string } };

if ('WorkerGlobalScope' in globalThis) {
  const post = (reply: Reply) => self.postMessage(reply);
  self.addEventListener('message', ({ data: { id, name, args } }: MessageEvent<Call>) => {
    const command = commands[name] as (...args: readonly unknown[]) => Promise<unknown>;
    command(...args).then(
      (result) => post({ id, result }),
      ({ code, message }: Error & { code?: unknown }) => post({ id, error: { code, message } }),
    );
  });
}
