/** Opens the engine in a dedicated worker of its own. */
import type { Engine, LoadOptions, ModelSource } from '../engine/api.ts';
import { openAutoMemory } from '../engine/load/auto-memory.ts';
import { loadPart, readWorkerOptions } from '../engine/options.ts';
import { AtomoeError } from '../errors.ts';
import { connectEngine, lostError, withoutFunctions } from './client.ts';
import type { OpenOptions } from './protocol.ts';
import { startWorker } from './start.ts';

/** How an engine in a worker is opened. */
export interface WorkerEngineOptions extends Omit<OpenOptions, 'headers' | 'autoBudget'>, LoadOptions {
  /** Loaded at once. */
  readonly model?: ModelSource;
  /** A worker of your own that runs `atomoe/worker`; by default one is started from the library's own file. */
  readonly worker?: Worker;
}

/**
 * Opens an engine whose work happens in a dedicated worker, so that the page stays smooth; loads a model where one is
 * named.
 *
 * @throws {AtomoeError} bad-input - an unknown or a wrong option, before a worker is started, or the page's policy forbids
 *   the worker; network - its script is not where it should be; device-lost - it fails; no-webgpu; all that `load` throws
 * @example
 * const engine = await createWorkerEngine({ model: 'https://example.org/models/fable/' });
 * for await (const event of engine.session().generate('Once upon a time')) if (event.kind === 'token') show(event.text);
 */
export async function createWorkerEngine(given: WorkerEngineOptions = {}): Promise<Engine> {
  const options = readWorkerOptions(given);
  options.signal?.throwIfAborted();
  const own = options.worker && listenEarly(options.worker);
  // Before the library's own worker starts: none of its events may be missed.
  const memory = options.device === 'cpu' ? undefined : await openAutoMemory();
  const {
    model,
    worker = await startWorker(options.signal),
    device,
    threads,
    adapterClass,
    tuning,
    signal,
    headers,
  } = withoutFunctions(options);
  const watch = new AbortController();
  const connection = connectEngine(worker, {
    ...(memory ? { memory } : {}),
    ...(signal ? { signal } : {}),
    ...(device ? { device } : {}),
    ...(threads ? { threads } : {}),
    ...(adapterClass ? { adapterClass } : {}),
    ...(tuning ? { tuning } : {}),
    ...(headers ? { headers } : {}),
    close: () => {
      watch.abort();
      worker.terminate();
    },
  });
  const onError = (event: ErrorEvent): void => {
    // A script that did not load gives a bare Event without a message.
    const why = event.message || 'its script could not be loaded or run';
    connection.fail(own && !own.hasSpoken ? ownWorkerError(why) : lostError(why, event.error));
  };
  worker.addEventListener('error', onError);
  if (own?.error) onError(own.error);
  watchForDeath(worker, watch.signal, () => connection.fail(lostError('it ended by itself')));
  const engine = await connection.engine;
  if (model === undefined) return engine;
  try {
    await engine.load(model, loadPart(options));
    return engine;
  } catch (error) {
    engine.dispose();
    throw error;
  }
}

interface EarlySigns {
  hasSpoken: boolean;
  error: ErrorEvent | undefined;
}

/** Hears a page's own worker from the first moment: it may speak or fail before there is a connection. */
function listenEarly(worker: Worker): EarlySigns {
  const signs: EarlySigns = { hasSpoken: false, error: undefined };
  worker.addEventListener('message', () => (signs.hasSpoken = true), { once: true });
  worker.addEventListener('error', (event) => (signs.error = event), { once: true });
  return signs;
}

/** A page's own worker that never said anything: to create the engine again would not help. */
function ownWorkerError(why: string): AtomoeError {
  return new AtomoeError(
    'device-lost',
    `The worker that createWorkerEngine was given did not start: ${why}; wanted: a module worker that imports ` +
      "atomoe/worker. Check the address of its script, and what the page's content policy says of worker-src.",
  );
}

/** No event reports that a worker closed itself or was killed; the lock that it held for life does. */
function watchForDeath(worker: Worker, signal: AbortSignal, onDeath: () => void): void {
  const locks = globalThis.navigator?.locks as LockManager | undefined;
  if (!locks) return; // an insecure page: no locks, and no WebGPU either
  const name = `atomoe-worker-${crypto.randomUUID()}`;
  worker.addEventListener('message', (event: MessageEvent<{ kind: string } | null>) => {
    if (event.data?.kind !== 'holding') return;
    locks.request(name, { signal }, onDeath).catch(() => {}); // aborted: the worker was closed on purpose
  });
  worker.postMessage({ kind: 'hold', name });
}
