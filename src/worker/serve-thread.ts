/** What a worker does that was started as a thread of the kernels: it needs no engine. */
import { serveThread, takeChunks, THREAD_NUMBERS, type ThreadPort } from '../simd/thread.ts';

export function serveAsThread(scope: object): void {
  serveThread(scope as ThreadPort, { ...THREAD_NUMBERS, takeChunks });
}
