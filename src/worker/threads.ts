/** Threads of the engine's own worker: further workers of the same script, which their name says what to do. */
import type { Thread } from '../simd/thread-pool.ts';
import { serveThread, takeChunks, THREAD_NUMBERS, type ThreadPort } from '../simd/thread.ts';
import { trustedScriptUrl } from './script-url.ts';

const THREAD_NAME = 'atomoe-thread';

/** Serves as a thread where this worker was started as one. @returns whether it was */
export function servedAsThread(scope: { readonly name?: string }): boolean {
  if (scope.name !== THREAD_NAME) return false;
  serveThread(scope as unknown as ThreadPort, { ...THREAD_NUMBERS, takeChunks });
  return true;
}

/** @throws where a policy forbids them */
export function startThreads(count: number): Thread[] {
  const url = trustedScriptUrl(new URL(globalThis.location.href));
  return Array.from({ length: count }, () => {
    const worker = new Worker(url, { type: 'module', name: THREAD_NAME });
    return { postMessage: (message) => worker.postMessage(message), terminate: () => worker.terminate() };
  });
}
