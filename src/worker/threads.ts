/** Threads of the engine's own worker: further workers of the same script, which their name says what to do. */
import type { Thread } from '../simd/thread-pool.ts';
import { trustedScriptUrl } from './script-url.ts';

const THREAD_NAME = 'atomoe-thread';

/** Whether this worker was started as a thread (`serve-thread.ts`). */
export function isThread(scope: { readonly name?: string }): boolean {
  return scope.name === THREAD_NAME;
}

/** @throws where a policy forbids them */
export function startThreads(count: number): Thread[] {
  const url = trustedScriptUrl(new URL(globalThis.location.href));
  return Array.from({ length: count }, () => {
    const worker = new Worker(url, { type: 'module', name: THREAD_NAME });
    return { postMessage: (message) => worker.postMessage(message), terminate: () => worker.terminate() };
  });
}
