/** Threads in Node. */
import type { Thread } from './thread-pool.ts';
import { serveThread, takeChunks, THREAD_NUMBERS } from './thread.ts';

/** A thread is started from the texts of its functions: where the library's files are depends on how it was bundled. */
export function startNodeThreads(count: number): Thread[] {
  // Not an import: bundlers of pages would look for it.
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  const parts = `{ ...${JSON.stringify(THREAD_NUMBERS)}, takeChunks: ${takeChunks.toString()} }`;
  const code = `const port = require('node:worker_threads').parentPort;
    const thread = {}; port.on('message', (data) => thread.onmessage({ data }));
    (${serveThread.toString()})(thread, ${parts});`;
  return Array.from({ length: count }, () => {
    const worker = new Worker(code, { eval: true });
    worker.unref(); // threads alone keep no process alive
    return {
      postMessage: (message) => worker.postMessage(message),
      terminate: () => void worker.terminate(),
    };
  });
}
