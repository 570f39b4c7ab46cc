/** Starts the library's own worker, wherever a bundler or a host has put its file. */
import { typedError } from '../engine/failures.ts';
import { AtomoeError } from '../errors.ts';
import { scriptOfText, trustedScriptUrl } from './script-url.ts';
import type { StartFailure } from './start-error.ts';

/** The path of this module in the built package; the build writes it here. A bundler's output is called otherwise. */
const BUILT_AS = 'atomoe:this-file';

/** The worker in chunks, seen from this module; the build writes it here. */
const MODULES = 'atomoe:modules-file';

/**
 * Resolves to a worker that runs.
 *
 * @throws {AtomoeError} bad-input - the page's policy forbids it; network - its script is not where it should be;
 *   device-lost - its script fails
 */
export async function startWorker(signal?: AbortSignal): Promise<Worker> {
  if (!('Worker' in globalThis)) {
    throw new AtomoeError(
      'bad-input',
      'createWorkerEngine needs web workers, and there are none here; wanted a page; use createEngine, which needs none',
    );
  }
  const asBuilt = isAsBuilt(import.meta.url);
  const first = await attempt(asBuilt ? launchModules : launchFile, signal);
  if (first instanceof Worker) return first;
  if (asBuilt) throw await causeOf(first);
  // A bundler that knows nothing of workers took this module along and left the worker's file behind.
  const { workerText } = await import('./inline.ts');
  if (workerText === undefined) throw await causeOf(first);
  const second = await attempt((note) => launchText(workerText, note), signal);
  if (second instanceof Worker) return second;
  throw await causeOf(first, second);
}

/** Why the worker did not start. What finds it out is loaded then: it is there unless the files of the library are gone. */
async function causeOf(
  ...failures: readonly [file: StartFailure, inline?: StartFailure]
): Promise<AtomoeError> {
  return import('./start-error.ts').then(({ startError }) => startError(...failures), typedError);
}

/** Whether the package's own files are served, and the worker's therefore has to be among them. */
export function isAsBuilt(url: string | undefined, builtAs = BUILT_AS): boolean {
  // webpack gives the path on the machine that built the app.
  return url !== undefined && !url.startsWith('file:') && new URL(url).pathname.endsWith(`/${builtAs}`);
}

/** Launches and waits for the first message: until then, an error means that the script did not load or run. */
async function attempt(
  launch: (note: (url: URL) => void) => Worker,
  signal: AbortSignal | undefined,
): Promise<Worker | StartFailure> {
  let address: URL | undefined;
  const violations: SecurityPolicyViolationEvent[] = [];
  const hear = (event: SecurityPolicyViolationEvent): void => void violations.push(event);
  addEventListener('securitypolicyviolation', hear as EventListener);
  try {
    const worker = launch((url) => (address = url));
    const error = await firstSign(worker, signal);
    if (!error) return worker;
    worker.terminate();
    await new Promise((resolve) => setTimeout(resolve)); // a violation may be reported after the error
    return { address, violations, reason: error.message || undefined };
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof AtomoeError) throw cause;
    return { address, violations, reason: String(cause) };
  } finally {
    removeEventListener('securitypolicyviolation', hear as EventListener);
  }
}

/** Resolves to an error event, or to nothing when the worker has said something. */
function firstSign(worker: Worker, signal: AbortSignal | undefined): Promise<ErrorEvent | undefined> {
  const listening = new AbortController();
  const once = { signal: listening.signal };
  return new Promise<ErrorEvent | undefined>((resolve, reject) => {
    worker.addEventListener('message', () => resolve(undefined), once);
    worker.addEventListener('error', resolve, once);
    const giveUp = (): void => {
      worker.terminate();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', giveUp, once);
  }).finally(() => listening.abort());
}

/**
 * Bundlers find a worker by this one expression, word for word and with the global `Worker`. What a page under Trusted
 * Types, and a library from another host, need instead of the plain global takes its place while the expression runs.
 */
function launchFile(note: (url: URL) => void): Worker {
  const { Worker: Native } = globalThis;
  const launch = (url: URL, options: WorkerOptions): Worker => {
    note(url);
    return new Native(trustedScriptUrl(sameOrigin(url, options)), options);
  };
  // Used with `new`: a constructor may return another object.
  globalThis.Worker = function (url: URL, options: WorkerOptions) {
    return launch(url, options);
  } as unknown as typeof Worker;
  try {
    return new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  } finally {
    globalThis.Worker = Native;
  }
}

/**
 * The worker of the package's own files shares their chunks, and loads what a model needs of them: less than half of the one
 * script that bundlers are given. Its address is put together here, so that no bundler takes it for a file of its own.
 */
function launchModules(note: (url: URL) => void): Worker {
  const url = new URL(import.meta.url.replace(/[^/]*$/, MODULES));
  note(url);
  const options = { type: 'module' } as const;
  return new Worker(trustedScriptUrl(sameOrigin(url, options)), options);
}

function launchText(text: string, note: (url: URL) => void): Worker {
  const url = scriptOfText(text);
  note(url);
  return new Worker(trustedScriptUrl(url), { type: 'module' });
}

/** A library loaded from another host (one script tag, some CDN) may not be a worker's address, but may be imported. */
function sameOrigin(url: URL, { type }: WorkerOptions): URL {
  if (url.origin === globalThis.origin) return url;
  const address = JSON.stringify(url.href);
  return scriptOfText(type === 'module' ? `import ${address};` : `importScripts(${address});`);
}
